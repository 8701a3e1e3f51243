package org.potstill.spark;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import org.apache.spark.SparkConf;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a run needs of memory, set against what there is, before any work: a heap, and what lies outside it. Needs are estimates: a run
 * is refused where a tenth less would not suffice either, and warned where it is near.
 */
public final class MemoryNeed {
    /** Of the heap: Spark, Parquet, and a batch or two of rows. */
    public static final long HEAP = 384L << 20;
    /** Outside: the JVM's code, classes and threads, libraries, buffers of the network. */
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
     * @param less what else to do about it than giving more
     */
    public MemoryNeed(SparkConf conf, String what, String less) {
        this.conf = conf;
        this.what = what;
        this.less = less;
    }

    /**
     * The driver's, which is its executor, too, under a local master.
     *
     * @param heap    bytes of the heap, beside what any job takes
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
            LOG.warn("{} needs about {} GiB outside the heap: where the heap, too, grows to its {} GiB, the machine's {} GiB do not suffice",
                    what, gib(allOutside), gib(has), gib(machine));
        }
    }

    /** The same of each executor on a cluster, as its settings say. */
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
                LOG.warn("{} needs about {} GiB of each executor outside the heap: set spark.executor.memoryOverhead = {}, which is {}m", what,
                        gib(allOutside), setting(allOutside), overhead >> 20);
            }
        }
    }

    /** The same of whoever runs tasks. */
    public void workers(long heap, long outside, long rows) {
        if (isLocal()) {
            driver(heap, outside, rows);
        } else {
            executors(heap, outside, rows);
        }
    }

    /**
     * Warns of a model that memory outside the heap does not hold. It may run all the same: its file is read as it is needed.
     *
     * @param bytes of its weights
     */
    public void model(long bytes) {
        if (isLocal() && OUTSIDE + bytes > machine()) {
            LOG.warn("{} needs about {} GiB outside the heap, and the machine has {}: {}", what, gib(OUTSIDE + bytes), gib(machine()), less);
        } else if (isContained() && OUTSIDE + bytes > overhead()) {
            LOG.warn("{} needs about {} GiB of each executor outside the heap: set spark.executor.memoryOverhead = {}, which is {} GiB; or {}",
                    what, gib(OUTSIDE + bytes), setting(OUTSIDE + bytes), gib(overhead()), less);
        }
    }

    private boolean isLocal() {
        return conf.get("spark.master", "").matches("local|local\\[.*");
    }

    /** Whether executors are held to what they asked for; other cluster managers let them take more. */
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

    /** The machine's, or the container's. */
    private static long machine() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system ? system.getTotalMemorySize() : Long.MAX_VALUE;
    }

    private void heap(String where, long has, long needs, long rows, String remedy) {
        String more = String.format(Locale.ROOT, remedy, setting(needs));
        if (0.9 * needs > has) {
            throw PlatformErrors.tooLittleHeap(what, gib(needs), where, gib(has), more + "; or " + less);
        }
        double fraction = conf.getDouble("spark.memory.fraction", 0.6);
        long spark = (long) Math.min(fraction * Math.max(0, has - SPARK_RESERVE), ROWS_UNPACKED * rows);
        if (needs > has) {
            LOG.warn("{} needs about {} GiB of heap on {}, which has {}: {}", what, gib(needs), where, gib(has), more);
        } else if (needs + spark > has) {
            LOG.warn("{} needs about {} of the {} GiB of heap on {}, and Spark may take {} more for rows: set spark.memory.fraction = 0.1, "
                    + "which has rows lie on disk, or {}", what, gib(needs), gib(has), where, gib(spark),
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
