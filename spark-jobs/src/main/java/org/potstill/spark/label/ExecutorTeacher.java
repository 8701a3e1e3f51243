package org.potstill.spark.label;

import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.spark.Cluster;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.JobErrors;
import org.potstill.teacher.Teacher;
import org.potstill.teacher.TeacherOptions.Device;
import org.potstill.teacher.Teachers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The teachers of this executor, one a GPU or one for the CPU, each loaded by the first task that needs it. */
public final class ExecutorTeacher {
    private static final Logger LOG = LoggerFactory.getLogger(ExecutorTeacher.class);
    private static final ExecutorCache<Teacher> TEACHERS = new ExecutorCache<>();
    private static final int ON_CPU = -1;
    /** AUTO has come out on the CPU here once. */
    private static boolean noUsableGpu;

    private ExecutorTeacher() {
    }

    /**
     * The teacher on the GPU that Spark gave this task, or on the first where it gave none.
     *
     * @param fingerprint that the driver saw, see {@link TeacherSource#fingerprint}
     * @param cores       of this executor
     * @param onLoad      told when this call loads the model
     */
    public static synchronized Teacher get(TeacherSource source, String fingerprint, int cores, Configuration hadoop,
            Runnable onLoad) {
        String key = fingerprint + source;
        int gpu = Cluster.gpuOfTask().orElse(0);
        boolean cpu = !Teachers.mayUseGpu(source.options(cores, gpu)) || source.device() == Device.AUTO && noUsableGpu;
        Teacher teacher = TEACHERS.get(key, cpu ? ON_CPU : gpu, () -> {
            onLoad.run();
            try (CausalLm model = Teachers.model(source.localPath(hadoop))) {
                if (!source.fingerprint(model).equals(fingerprint)) {
                    throw JobErrors.teacherDiffers(source.uri(), fingerprint, source.fingerprint(model));
                }
                return Teachers.open(model, source.options(cores, gpu));
            }
        });
        if (!cpu && teacher.device() == Device.CPU) {
            LOG.warn("no usable GPU here: the teacher runs on the CPU; teacher.device = cuda would fail and say why");
            // The tasks with other addresses share it, too: there is one CPU.
            noUsableGpu = true;
            TEACHERS.get(key, ON_CPU, () -> teacher);
        }
        return teacher;
    }
}
