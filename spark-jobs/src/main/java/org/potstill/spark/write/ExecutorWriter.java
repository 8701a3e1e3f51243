// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.generation.AnswerWriter;

/** This executor's writer, which all of its tasks share: their answers are written in one batch, or by one server. */
final class ExecutorWriter {
    private static final ExecutorCache<AnswerWriter> WRITERS = new ExecutorCache<>();

    private ExecutorWriter() {
    }

    /**
     * Returns the writer, opening it if necessary.
     *
     * @param keys  of the teacher and its tokenizer, as the driver saw them
     * @param cores CPU cores of this executor
     */
    static AnswerWriter get(TeacherSource source, AnswerKeys keys, WriteSettings told, int cores, Configuration hadoop) {
        return WRITERS.get(keys.teacher() + keys.tokenizer() + source + told, () -> NativeWork.abandonable(() -> {
            try (CausalLm model = source.model(hadoop)) {
                source.require(keys.teacher(), model);
                return Teachers.writer(model, told.sampling(), source.options(cores, 0), told.limits());
            }
        }));
    }
}
