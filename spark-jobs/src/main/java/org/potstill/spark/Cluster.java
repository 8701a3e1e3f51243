package org.potstill.spark;

import java.util.OptionalInt;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.util.SerializableConfiguration;

/** What the cluster has to run on. */
public final class Cluster {
    private Cluster() {
    }

    /** Cores of one executor: as set, all of a local master, else of the machine that the driver is like. */
    public static int coresPerExecutor(JavaSparkContext sc) {
        return sc.getConf().getInt("spark.executor.cores",
                sc.isLocal() ? sc.defaultParallelism() : Runtime.getRuntime().availableProcessors());
    }

    /** Tasks that run at once in one executor. */
    public static int taskSlotsPerExecutor(JavaSparkContext sc) {
        return sc.isLocal() ? taskSlots(sc) : Math.max(1, coresPerExecutor(sc) / coresPerTask(sc));
    }

    /** Tasks that run at once. Executors that have not registered yet are not counted. */
    public static int taskSlots(JavaSparkContext sc) {
        return Math.max(1, sc.defaultParallelism() / coresPerTask(sc));
    }

    /** Executors registered now; a local master is one. */
    public static int executors(JavaSparkContext sc) {
        return sc.isLocal() ? 1 : Math.max(1, sc.sc().statusTracker().getExecutorInfos().length - 1);
    }

    /** The GPU that Spark gave this task; none where the cluster deals none out: a local master, a Databricks single node. */
    public static OptionalInt gpuOfTask() {
        TaskContext task = TaskContext.get();
        ResourceInformation gpu = task == null ? null : task.resourcesJMap().get("gpu");
        if (gpu == null || gpu.addresses().length == 0) {
            return OptionalInt.empty();
        }
        String address = gpu.addresses()[0];
        if (!address.matches("[0-9]{1,4}")) {
            throw JobErrors.badGpuAddress(address);
        }
        return OptionalInt.of(Integer.parseInt(address));
    }

    /** Hadoop's settings of the driver, for tasks. */
    public static Broadcast<SerializableConfiguration> hadoop(JavaSparkContext sc) {
        return sc.broadcast(new SerializableConfiguration(sc.hadoopConfiguration()));
    }

    public static int coresPerTask(JavaSparkContext sc) {
        return sc.getConf().getInt("spark.task.cpus", 1);
    }
}
