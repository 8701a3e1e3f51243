// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.OptionalInt;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDDLike;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.errors.JobErrors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Resources of the cluster. */
public final class Cluster {
    private static final Logger LOG = LoggerFactory.getLogger(Cluster.class);

    private Cluster() {
    }

    /** Returns the cores per executor: as configured, or all of a local master; otherwise assumes the driver's number. */
    public static int coresPerExecutor(JavaSparkContext sc) {
        return sc.getConf().getInt("spark.executor.cores",
                sc.isLocal() ? sc.defaultParallelism() : Runtime.getRuntime().availableProcessors());
    }

    /** Returns the number of concurrent tasks per executor. */
    public static int taskSlotsPerExecutor(JavaSparkContext sc) {
        return sc.isLocal() ? taskSlots(sc) : Math.max(1, coresPerExecutor(sc) / coresPerTask(sc));
    }

    /** Returns the number of concurrent tasks on all executors registered so far. */
    public static int taskSlots(JavaSparkContext sc) {
        return Math.max(1, sc.defaultParallelism() / coresPerTask(sc));
    }

    /** Returns the number of executors registered so far; 1 for a local master. */
    public static int executors(JavaSparkContext sc) {
        return sc.isLocal() ? 1 : Math.max(1, sc.sc().statusTracker().getExecutorInfos().length - 1);
    }

    /** Returns the GPU that Spark assigned to this task; empty without GPU scheduling: a local master, a Databricks single node. */
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

    /** Broadcasts the driver's Hadoop configuration to tasks. */
    public static Broadcast<SerializableConfiguration> hadoop(JavaSparkContext sc) {
        return sc.broadcast(new SerializableConfiguration(sc.hadoopConfiguration()));
    }

    /**
     * Frees what executors cache of a data set, and waits until they have: otherwise a session that stops meanwhile prints
     * the stack trace of an abandoned request.
     */
    public static void release(JavaRDDLike<?, ?> cached) {
        try {
            cached.rdd().unpersist(true);
        } catch (Exception e) {
            // The cache dies with the session, whose failure is the one to report.
            LOG.debug("cannot free a data set", e);
        }
    }

    /** Returns the number of tasks, each with one file, for so many items; bounded, as the driver keeps track of all of them. */
    public static int shards(long items, int perShard) {
        return (int) Math.min(100_000, Math.max(1, (items + perShard - 1) / perShard));
    }

    public static int coresPerTask(JavaSparkContext sc) {
        return sc.getConf().getInt("spark.task.cpus", 1);
    }
}
