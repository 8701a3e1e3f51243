package org.potstill.spark.label;

import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.JobErrors;
import org.potstill.teacher.Teacher;
import org.potstill.teacher.Teachers;

/** The one teacher of this executor, loaded by the first task that needs it. */
public final class ExecutorTeacher {
    private static final ExecutorCache<Teacher> TEACHERS = new ExecutorCache<>();

    private ExecutorTeacher() {
    }

    /**
     * @param fingerprint that the driver saw
     * @param cores       of this executor
     * @param onLoad      told when this call loads the model
     */
    public static Teacher get(TeacherSource source, String fingerprint, int cores, Configuration hadoop, Runnable onLoad) {
        return TEACHERS.get(fingerprint + source, () -> {
            onLoad.run();
            try (Checkpoint checkpoint = Checkpoints.open(source.localPath(hadoop))) {
                if (!checkpoint.fingerprint().equals(fingerprint)) {
                    throw JobErrors.teacherDiffers(source.uri(), fingerprint, checkpoint.fingerprint());
                }
                return Teachers.open(checkpoint, source.options(cores));
            }
        });
    }
}
