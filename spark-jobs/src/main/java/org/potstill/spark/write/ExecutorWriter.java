// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.spark.Cluster;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.generation.AnswerWriter;

/**
 * This executor's writers: one for the CPU or a server, or one per GPU. Its tasks share them, so that their answers are written in one
 * batch.
 */
final class ExecutorWriter {
    private static final ExecutorCache<AnswerWriter> WRITERS = new ExecutorCache<>();

    private ExecutorWriter() {
    }

    /**
     * Returns the writer, on the GPU that Spark assigned to this task or on GPU 0 if it assigned none, opening it if necessary.
     *
     * @param keys  of the teacher and its tokenizer, as the driver saw them
     * @param cores CPU cores of this executor
     */
    static AnswerWriter get(TeacherSource source, AnswerKeys keys, WriteSettings told, int cores, Configuration hadoop) {
        boolean onGpu = source.writesOnGpu();
        int gpu = onGpu ? Cluster.gpuOfTask().orElse(0) : 0;
        return WRITERS.get(keys.teacher() + keys.tokenizer() + source + told, gpu, () -> NativeWork.abandonable(() -> {
            try (CausalLm model = source.model(hadoop)) {
                source.require(keys.teacher(), model);
                return Teachers.writer(model, told.sampling(), source.options(cores, gpu), told.limits(onGpu));
            }
        }));
    }
}
