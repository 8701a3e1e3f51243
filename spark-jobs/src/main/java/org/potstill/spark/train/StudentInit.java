package org.potstill.spark.train;

import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.potstill.spark.label.TeacherSource;
import org.potstill.student.InitialWeights;
import org.potstill.student.LayerChoice;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;

/** What the student begins with: the checkpoint of {@code student.init} or, where that is empty, chance. */
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
    }

    /**
     * The student's shape: the checkpoint's, or what the settings say.
     *
     * @param vocabSize of a student with random weights
     */
    CausalLmConfig shape(int vocabSize) {
        return checkpoint == null ? StudentShape.of(settings, vocabSize)
                : StudentShape.of(settings, checkpoint.config(), path, choice);
    }

    /** The settings with the checkpoint's shape where they do not say otherwise. */
    Settings shaped() {
        return checkpoint == null ? settings
                : StudentShape.described(settings, StudentShape.of(settings, checkpoint.config(), path, choice));
    }

    /** What the weights come from; empty for chance. */
    public String fingerprint() {
        return checkpoint == null ? "" : checkpoint.fingerprint();
    }

    /**
     * Refuses weights that were made for another vocabulary. Their table may be longer or shorter than the teacher's, where
     * both are padded, as long as it has a row for every token.
     *
     * @param teacherVocabSize rows of the teacher's table
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
     * The student as it begins.
     *
     * @param config of {@link #shape}
     * @param seed   of random weights
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
