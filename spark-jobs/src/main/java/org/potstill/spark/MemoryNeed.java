// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import org.apache.spark.SparkConf;
import org.potstill.spark.errors.PlatformErrors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A check, before any work, of the memory that a run needs, on and outside the heap, against what there is. Needs are estimates: a
 * run is rejected if even 90 % of the need is not available, and warned about if it is close.
 */
public final class MemoryNeed {
    /** Base need on the heap: Spark, Parquet, and a batch or two of rows. */
    public static final long HEAP = 384L << 20;
    /** Base need outside it: the JVM's code, classes and threads, libraries, network buffers. */
    static final long OUTSIDE = 384L << 20;
    /** Spark keeps this much of a heap out of what it manages. */
    private static final long SPARK_RESERVE = 300L << 20;
    /** Rows take more room in memory than in a file. */
    private static final long ROWS_UNPACKED = 4;
    private static final double GIB = 1L << 30;
    private static final Logger LOG = LoggerFactory.getLogger(MemoryNeed.class);

    private final SparkConf conf;
    private final String what;
    private final String less;

    /**
     * @param what takes memory
     * @param less how to reduce the need
     */
    public MemoryNeed(SparkConf conf, String what, String less) {
        this.conf = conf;
        this.what = what;
        this.less = less;
    }

    /**
     * Checks the driver, which under a local master is also the executor.
     *
     * @param heap    bytes on the heap, on top of the base need
     * @param outside bytes outside the heap, likewise
     * @param rows    bytes of label files that Spark may take room for
     */
    public void driver(long heap, long outside, long rows) {
        long has = Runtime.getRuntime().maxMemory();
        long machine = machine();
        long allOutside = OUTSIDE + outside;
        LOG.info("memory: driver heap {} GiB, needs about {}; outside the heap about {}, of the machine's {} GiB", gib(has), gib(HEAP + heap),
                gib(allOutside), gib(machine));
        heap("the driver", has, HEAP + heap, rows, "set POTSTILL_MEMORY=%1$s for deploy/potstill, --driver-memory %1$s for spark-submit");
        if (0.9 * (HEAP + heap + allOutside) > machine) {
            throw PlatformErrors.tooLittleMemory(what, gib(HEAP + heap + allOutside), "the driver's machine", gib(machine),
                    gib(HEAP + heap) + " GiB of heap and " + gib(allOutside) + " outside", less);
        }
        if (has + allOutside > machine) {
            LOG.warn("{} needs about {} GiB outside the heap: if the heap grows to its limit of {} GiB, the machine's {} GiB are "
                    + "not enough", what, gib(allOutside), gib(has), gib(machine));
        }
    }

    /** Checks each executor of a cluster, by its settings. */
    public void executors(long heap, long outside, long rows) {
        long has = executorHeap();
        long allOutside = OUTSIDE + outside;
        LOG.info("memory: executor heap {} GiB, needs about {}; outside the heap about {} GiB", gib(has), gib(HEAP + heap), gib(allOutside));
        heap("each executor", has, HEAP + heap, rows, "set spark.executor.memory = %1$s");
        if (isContained()) {
            long overhead = overhead();
            if (0.9 * (HEAP + heap + allOutside) > has + overhead) {
                throw PlatformErrors.tooLittleMemory(what, gib(HEAP + heap + allOutside), "each executor's container", gib(has + overhead),
                        gib(HEAP + heap) + " GiB of heap and " + gib(allOutside) + " outside",
                        "set spark.executor.memoryOverhead = " + setting(allOutside) + "; or " + less);
            }
            if (allOutside > overhead) {
                LOG.warn("{} needs about {} GiB outside the heap of each executor: set spark.executor.memoryOverhead = {} (now {}m)", what,
                        gib(allOutside), setting(allOutside), overhead >> 20);
            }
        }
    }

    /** Checks the processes that run tasks. */
    public void workers(long heap, long outside, long rows) {
        if (isLocal()) {
            driver(heap, outside, rows);
        } else {
            executors(heap, outside, rows);
        }
    }

    /**
     * Warns if a model does not fit in memory outside the heap. It may run nevertheless, since its file is read on demand.
     *
     * @param bytes of its weights
     */
    public void model(long bytes) {
        if (isLocal() && OUTSIDE + bytes > machine()) {
            LOG.warn("{} needs about {} GiB outside the heap, and the machine has {}: {}", what, gib(OUTSIDE + bytes), gib(machine()), less);
        } else if (isContained() && OUTSIDE + bytes > overhead()) {
            LOG.warn("{} needs about {} GiB outside the heap of each executor: set spark.executor.memoryOverhead = {} (now {} GiB), or {}",
                    what, gib(OUTSIDE + bytes), setting(OUTSIDE + bytes), gib(overhead()), less);
        }
    }

    private boolean isLocal() {
        return conf.get("spark.master", "").matches("local|local\\[.*");
    }

    /** Whether the cluster manager limits executors to the memory that they requested. */
    private boolean isContained() {
        return conf.get("spark.master", "").matches("(yarn|k8s).*");
    }

    private long executorHeap() {
        return conf.getSizeAsMb("spark.executor.memory", "1g") << 20;
    }

    private long overhead() {
        long usual = (long) (conf.getDouble("spark.executor.memoryOverheadFactor", 0.1) * (executorHeap() >> 20));
        return conf.getSizeAsMb("spark.executor.memoryOverhead", Math.max(384, usual) + "m") << 20;
    }

    /** Memory of the machine or container, in bytes. */
    private static long machine() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system ? system.getTotalMemorySize() : Long.MAX_VALUE;
    }

    private void heap(String where, long has, long needs, long rows, String remedy) {
        String more = String.format(Locale.ROOT, remedy, setting(needs));
        if (0.9 * needs > has) {
            throw PlatformErrors.tooLittleHeap(what, gib(needs), where, gib(has), more + "; or " + less);
        }
        double fraction = conf.getDouble("spark.memory.fraction", 0.6);
        long spark = (long) Math.min(fraction * (double) Math.max(0, has - SPARK_RESERVE), (double) ROWS_UNPACKED * rows);
        if (needs > has) {
            LOG.warn("{} needs about {} GiB of heap on {}, which has {} GiB: {}", what, gib(needs), where, gib(has), more);
        } else if (needs + spark > has) {
            LOG.warn("{} needs about {} of the {} GiB of heap on {}, and Spark may use {} GiB more for rows: set "
                    + "spark.memory.fraction = 0.1, which keeps rows on disk, or {}", what, gib(needs), gib(has), where, gib(spark),
                    String.format(Locale.ROOT, remedy, setting(needs + spark)));
        }
    }

    private static String gib(long bytes) {
        return String.format(Locale.ROOT, "%.1f", bytes / GIB);
    }

    private static String setting(long bytes) {
        return (long) Math.ceil(bytes / GIB) + "g";
    }
}
