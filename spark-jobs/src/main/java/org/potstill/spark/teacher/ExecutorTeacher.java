// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.spark.Cluster;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.errors.JobErrors;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The teachers of this executor, one per GPU or one for the CPU, each loaded by the first task that needs it. */
public final class ExecutorTeacher {
    private static final Logger LOG = LoggerFactory.getLogger(ExecutorTeacher.class);
    private static final ExecutorCache<Teacher> TEACHERS = new ExecutorCache<>();
    private static final int ON_CPU = -1;
    private static final int PROBES = 8;
    /** Loaded teachers whose loading no task has reported yet. */
    private static final Set<Teacher> LOADED = Collections.newSetFromMap(new WeakHashMap<>());
    /** Whether AUTO has already fallen back to the CPU on this executor. */
    private static boolean noUsableGpu;

    private ExecutorTeacher() {
    }

    /**
     * Returns the teacher on the GPU that Spark assigned to this task, or on GPU 0 if it assigned none.
     *
     * @param fingerprint fingerprint seen by the driver, see {@link TeacherSource#fingerprint}
     * @param cores       CPU cores of this executor
     */
    public static Teacher get(TeacherSource source, String fingerprint, int cores, Configuration hadoop) {
        return get(source, fingerprint, cores, hadoop, Cluster.gpuOfTask().orElse(0));
    }

    /** Frees the teachers' memory on all reachable executors. */
    public static void release(JavaSparkContext sc) {
        int slots = Cluster.taskSlots(sc);
        sc.parallelize(Collections.nCopies(slots, 0), slots).foreach(any -> TEACHERS.clear());
    }

    /** Starts loading the teacher that {@link #get} will need, in the background of an earlier stage's tasks. */
    public static void prefetch(TeacherSource source, String fingerprint, int cores, Configuration hadoop) {
        int gpu = Cluster.gpuOfTask().orElse(0);
        Thread thread = new Thread(() -> {
            try {
                get(source, fingerprint, cores, hadoop, gpu);
            } catch (RuntimeException | Error e) {
                // The task that needs the teacher meets the same error and reports it.
                LOG.debug("the teacher cannot be loaded ahead", e);
            }
        }, "potstill-prefetch");
        thread.setDaemon(true);
        thread.start();
    }

    /** Returns 1 for the first call after this teacher was loaded, 0 for later ones. */
    static synchronized int takeLoads(Teacher teacher) {
        return LOADED.remove(teacher) ? 1 : 0;
    }

    private static synchronized Teacher get(TeacherSource source, String fingerprint, int cores, Configuration hadoop, int gpu) {
        String key = fingerprint + source;
        boolean cpu = source.server() != null || !Teachers.mayUseGpu(source.options(cores, gpu)) || source.device() == Device.AUTO && noUsableGpu;
        Teacher teacher = TEACHERS.get(key, cpu ? ON_CPU : gpu, () -> {
            Teacher loaded = NativeWork.abandonable(() -> load(source, fingerprint, cores, hadoop, gpu));
            LOADED.add(loaded);
            return loaded;
        });
        if (!cpu && teacher.device() == Device.CPU) {
            LOG.warn("no usable GPU here: the teacher runs on the CPU; teacher.device = cuda would fail and say why");
            // Tasks with other GPU addresses share it, as there is only one CPU.
            noUsableGpu = true;
            TEACHERS.get(key, ON_CPU, () -> teacher);
        }
        return teacher;
    }

    private static Teacher load(TeacherSource source, String fingerprint, int cores, Configuration hadoop, int gpu) {
        try (CausalLm model = source.model(hadoop)) {
            source.require(fingerprint, model);
            Teacher teacher = Teachers.open(model, source.options(cores, gpu));
            try {
                requireFinite(teacher, source);
                return teacher;
            } catch (RuntimeException | Error e) {
                teacher.close();
                throw e;
            }
        }
    }

    /** Rejects a teacher that gives no finite probabilities after any single token, before it reads the whole corpus in vain. */
    private static void requireFinite(Teacher teacher, TeacherSource source) {
        List<int[]> probes = IntStream.range(0, PROBES).map(probe -> (int) ((long) probe * teacher.vocabSize() / PROBES))
                .mapToObj(token -> new int[] {token, token}).toList();
        List<ScoredSequence> scored = teacher.score(probes, source.targets());
        teacher.takeWork();
        if (scored.stream().allMatch(sequence -> sequence.problem() != null)) {
            throw JobErrors.teacherNotFinite(source.uri(), scored.get(0).problem());
        }
    }
}
