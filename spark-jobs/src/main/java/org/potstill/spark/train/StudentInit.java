package org.potstill.spark.train;

import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.potstill.spark.label.TeacherSource;
import org.potstill.student.InitialWeights;
import org.potstill.student.Student;

/** What the student begins with: the checkpoint of {@code student.init} or, where that is empty, chance. */
public final class StudentInit implements AutoCloseable {
    private final Settings settings;
    private final String path;
    /** Null for random weights. */
    private final Checkpoint checkpoint;

    public StudentInit(Settings settings, Configuration hadoop) {
        this.settings = settings;
        this.path = settings.string("student.init");
        this.checkpoint = path.isBlank() ? null
                : Checkpoints.open(TeacherSource.localPath("student.init", path, settings.required("teacher.scratch"), hadoop));
    }

    /** The settings with the checkpoint's shape where they do not say otherwise. */
    Settings shaped() {
        if (checkpoint == null) {
            return settings;
        }
        CausalLmConfig config = checkpoint.config();
        Settings shaped = settings;
        for (Map.Entry<String, Number> each : Map.<String, Number>of("hidden-size", config.hiddenSize(),
                "intermediate-size", config.intermediateSize(), "layers", config.numHiddenLayers(),
                "heads", config.numAttentionHeads(), "kv-heads", config.numKeyValueHeads(),
                "rope-theta", decimal(config.ropeTheta()), "rms-norm-eps", decimal(config.rmsNormEps())).entrySet()) {
            String key = "student." + each.getKey();
            shaped = settings.isGiven(key) ? shaped : shaped.with(key, each.getValue());
        }
        return shaped;
    }

    /** The shortest decimal that is this float. */
    private static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }

    /** What the weights come from; empty for chance. */
    public String fingerprint() {
        return checkpoint == null ? "" : checkpoint.fingerprint();
    }

    /** Refuses weights that were made for another vocabulary. */
    void requireVocabulary(TokenizerDefinition tokenizer, String cache) {
        if (checkpoint != null) {
            tokenizer.differenceFrom(checkpoint.tokenizer()).ifPresent(difference -> {
                throw JobErrors.initTokenizerDiffers(path, cache, difference);
            });
        }
    }

    /** Gives a student, made with random weights, those that it is to begin with. */
    public void apply(Student student) {
        if (checkpoint != null) {
            student.setParameters(InitialWeights.read(checkpoint, path, student.config()));
        }
    }

    @Override
    public void close() {
        if (checkpoint != null) {
            checkpoint.close();
        }
    }
}
