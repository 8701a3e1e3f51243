// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.distil;

import java.util.Collections;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.EachTeacher;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.spark.train.TrainJob;
import org.potstill.teacher.Teachers;

/** Checks of training's folder and memory before the steps that precede it, which may take hours. */
public final class TrainingAhead {
    private TrainingAhead() {
    }

    /**
     * Checks the folder and the memory.
     *
     * @throws org.potstill.errors.UserException if the folder contains another model, or there is too little memory
     */
    public static void require(SparkSession spark, Settings settings) {
        Configuration hadoop = spark.sparkContext().hadoopConfiguration();
        TrainJob training = new TrainJob(spark, settings);
        training.requireFolder();
        if (training.isDone()) {
            return;
        }
        if (!PrunedStart.isAskedFor(settings)) {
            int vocabSize = Collections.max(EachTeacher.all(settings, ofOne -> vocabSize(ofOne, hadoop)));
            training.requireMemory(vocabSize);
            return;
        }
        try (CausalLm model = model(settings.string("prune.model").isBlank() ? "teacher.path" : "prune.model", settings, hadoop)) {
            // Other models cannot be pruned; prune reports that.
            if (model instanceof Checkpoint checkpoint) {
                training.requireMemory(PruneJob.shape(settings, checkpoint.config()));
            }
        }
    }

    private static int vocabSize(Settings ofTeacher, Configuration hadoop) {
        try (CausalLm teacher = TeacherSource.of(ofTeacher).model(hadoop)) {
            return teacher.vocabSize();
        }
    }

    private static CausalLm model(String setting, Settings settings, Configuration hadoop) {
        return Teachers.model(TeacherSource.localPath(setting, settings.required(setting), settings.required("teacher.scratch"), hadoop));
    }
}
