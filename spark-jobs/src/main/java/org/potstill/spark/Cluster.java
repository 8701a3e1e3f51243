package org.potstill.spark;

import org.apache.spark.api.java.JavaSparkContext;

/** What the cluster has to run on. */
public final class Cluster {
    private Cluster() {
    }

    /** Cores of one executor: as set, all of a local master, else of the machine that the driver is like. */
    public static int coresPerExecutor(JavaSparkContext sc) {
        return sc.getConf().getInt("spark.executor.cores",
                sc.isLocal() ? sc.defaultParallelism() : Runtime.getRuntime().availableProcessors());
    }

    /** Tasks that run at once. Executors that have not registered yet are not counted. */
    public static int taskSlots(JavaSparkContext sc) {
        return Math.max(1, sc.defaultParallelism() / coresPerTask(sc));
    }

    /** Executors registered now; a local master is one. */
    public static int executors(JavaSparkContext sc) {
        return sc.isLocal() ? 1 : Math.max(1, sc.sc().statusTracker().getExecutorInfos().length - 1);
    }

    public static int coresPerTask(JavaSparkContext sc) {
        return sc.getConf().getInt("spark.task.cpus", 1);
    }
}
