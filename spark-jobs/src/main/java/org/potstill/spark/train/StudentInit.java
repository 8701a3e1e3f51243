// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.student.InitialWeights;
import org.potstill.student.LayerChoice;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;

/** Initialisation of the student: from the checkpoint at {@code student.init} or, if that is empty, with random weights. */
public final class StudentInit implements AutoCloseable {
    private final Settings settings;
    private final String path;
    private final LayerChoice choice;
    /** Null for random weights. */
    private final Checkpoint checkpoint;

    public StudentInit(Settings settings, Configuration hadoop) {
        this.settings = settings;
        this.path = settings.string("student.init");
        this.choice = settings.choice("student.init-layers", LayerChoice.class);
        this.checkpoint = path.isBlank() ? null
                : Checkpoints.open(TeacherSource.localPath("student.init", path, settings.required("teacher.scratch"), hadoop));
        if (checkpoint != null) {
            TeacherSource.warnOf(checkpoint);
        }
    }

    /**
     * Returns the student's shape: from the checkpoint if there is one, otherwise from the settings.
     *
     * @param vocabSize vocabulary size of a student with random weights
     */
    CausalLmConfig shape(int vocabSize) {
        return checkpoint == null ? StudentShape.of(settings, vocabSize)
                : StudentShape.of(settings, checkpoint.config(), path, choice);
    }

    /** Returns the settings, completed with the checkpoint's shape. */
    Settings shaped() {
        return checkpoint == null ? settings
                : StudentShape.described(settings, StudentShape.of(settings, checkpoint.config(), path, choice));
    }

    /** Returns the checkpoint's fingerprint; empty for random weights. */
    public String fingerprint() {
        return checkpoint == null ? "" : checkpoint.fingerprint();
    }

    /**
     * Rejects a checkpoint with another vocabulary. If both embedding tables are padded, the checkpoint's may have more or fewer
     * rows than the teacher's, as long as it has one for every token.
     *
     * @param teacherVocabSize number of rows in the teacher's table
     * @throws org.potstill.errors.UserException if the vocabularies differ
     */
    void requireVocabulary(TokenizerDefinition tokenizer, int teacherVocabSize, String cache) {
        if (checkpoint == null) {
            return;
        }
        tokenizer.differenceFrom(checkpoint.tokenizer()).ifPresent(difference -> {
            throw JobErrors.initTokenizerDiffers(path, cache, difference);
        });
        tokenizer.tokenBetween(checkpoint.vocabSize(), teacherVocabSize).ifPresent(token -> {
            throw JobErrors.initTokenizerDiffers(path, cache, "token " + token + " there, and the model's table has "
                    + checkpoint.vocabSize() + " rows");
        });
    }

    /**
     * Creates the initial student.
     *
     * @param config shape returned by {@link #shape}
     * @param seed   seed of random weights
     */
    Student create(CausalLmConfig config, TrainingOptions options, long seed) {
        if (checkpoint == null) {
            return Student.create(config, options, seed);
        }
        Student student = Student.uninitialized(config, options);
        try {
            InitialWeights.copy(checkpoint, path, student, choice);
            return student;
        } catch (RuntimeException | Error e) {
            student.close();
            throw e;
        }
    }

    @Override
    public void close() {
        if (checkpoint != null) {
            checkpoint.close();
        }
    }
}
