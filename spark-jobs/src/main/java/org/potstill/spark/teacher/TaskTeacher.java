// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.potstill.spark.Cluster;
import org.potstill.teacher.scoring.Teacher;

/**
 * The teacher of a task, with the task's location.
 *
 * @param executor id of the executor
 * @param gpu      GPU address that Spark assigned to the task; −1 for none
 * @param loads    1 for the first task that uses a newly loaded teacher, 0 for others
 */
public record TaskTeacher(Teacher teacher, String executor, int gpu, int loads) {
    /**
     * Returns the teacher for the calling task.
     *
     * @param fingerprint see {@link TeacherSource#fingerprint}
     * @param cores       CPU cores per executor
     */
    public static TaskTeacher get(TeacherSource source, String fingerprint, int cores, Configuration hadoop, PassCounters counters) {
        Teacher teacher = ExecutorTeacher.get(source, fingerprint, cores, hadoop);
        int loads = ExecutorTeacher.takeLoads(teacher);
        counters.loaded(loads);
        return new TaskTeacher(teacher, SparkEnv.get().executorId(), Cluster.gpuOfTask().orElse(-1), loads);
    }
}
