package org.potstill.spark.label;

import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.potstill.spark.Cluster;
import org.potstill.teacher.Teacher;

/**
 * The teacher of a task of the pass, and where that runs.
 *
 * @param executor it runs on
 * @param gpu      address that Spark gave it; −1 for none
 * @param loads    1 where it is the first to use what was loaded, 0 elsewhere
 */
record TaskTeacher(Teacher teacher, String executor, int gpu, int loads) {
    /**
     * @param fingerprint see {@link TeacherSource#fingerprint}
     * @param cores       of an executor
     */
    static TaskTeacher get(TeacherSource source, String fingerprint, int cores, Configuration hadoop, PassCounters counters) {
        Teacher teacher = ExecutorTeacher.get(source, fingerprint, cores, hadoop);
        int loads = ExecutorTeacher.takeLoads(teacher);
        counters.loaded(loads);
        return new TaskTeacher(teacher, SparkEnv.get().executorId(), Cluster.gpuOfTask().orElse(-1), loads);
    }
}
