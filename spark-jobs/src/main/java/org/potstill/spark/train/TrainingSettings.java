package org.potstill.spark.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.potstill.student.Divergence;
import org.potstill.student.MatrixPrecision;
import org.potstill.student.Objective;
import org.potstill.student.Student;
import org.potstill.student.Tail;
import org.potstill.student.TrainingOptions;

/** The settings that decide what the student becomes, read from the configuration. */
final class TrainingSettings {
    private TrainingSettings() {
    }

    static CausalLmConfig student(Settings s, int vocabSize) {
        int hidden = s.integer("student.hidden-size", 2, 1 << 16);
        int heads = s.integer("student.heads", 1, 1 << 10);
        if (hidden % heads != 0) {
            throw JobErrors.badValue("student.hidden-size", hidden + " is not a multiple of student.heads = " + heads);
        }
        return new CausalLmConfig(vocabSize, hidden, s.integer("student.intermediate-size", 1, 1 << 18),
                s.integer("student.layers", 1, 1 << 10), heads, s.integer("student.kv-heads", 1, 1 << 10),
                hidden / heads, s.integer("sequence-length", 2, 1 << 20),
                (float) s.real("student.rms-norm-eps", 1e-12, 1), (float) s.real("student.rope-theta", 1, 1e9), true);
    }

    /** The settings with what {@code train.precision = auto} comes to on the driver: it is part of what a student is. */
    static Settings withPrecision(Settings s) {
        return !s.string("train.precision").equalsIgnoreCase("auto") ? s
                : s.with("train.precision", Student.canUseBf16() ? "bf16" : "fp32");
    }

    static TrainingOptions options(Settings s, int totalSteps) {
        double peak = s.real("train.learning-rate", 0, 100);
        Objective objective = new Objective(s.real("train.alpha", 0, 1), s.real("train.final-alpha", 0, 1),
                s.choice("train.loss", Divergence.class), s.choice("train.tail", Tail.class));
        return new TrainingOptions(objective, peak,
                (int) Math.round(s.real("train.warmup-share", 0, 1) * totalSteps), totalSteps,
                s.real("train.min-learning-rate", 0, peak), s.real("train.weight-decay", 0, 10),
                s.real("train.beta1", 0, 1), s.real("train.beta2", 0, 1), s.real("train.epsilon", 0, 1),
                s.real("train.max-gradient-norm", 0, Double.MAX_VALUE),
                s.choice("train.optimizer", TrainingOptions.Optimizer.class), s.flag("train.gradient-checkpointing"),
                s.choice("train.precision", MatrixPrecision.class));
    }

    static OuterOptimizer outer(Settings s) {
        double momentum = s.real("train.outer-momentum", 0, 1);
        if (momentum == 1) {
            throw JobErrors.badValue("train.outer-momentum", "at 1 every step is added to all later ones");
        }
        return new OuterOptimizer(momentum, s.real("train.outer-learning-rate", 0, 100));
    }

    /** In nats per token. */
    static double maxLoss(Settings s, int vocabSize) {
        double beyond = s.real("train.max-loss-beyond-chance", 0, Double.MAX_VALUE);
        return beyond == 0 ? Double.MAX_VALUE : Math.log(vocabSize) + beyond;
    }

    /**
     * What a checkpoint or a finished student must agree with to go on from, or to stand for, this run.
     *
     * @param init fingerprint of what it begins with; empty for random weights
     */
    static ObjectNode identity(Settings s, TrainingPlan plan, String init, ObjectNode data) {
        ObjectNode identity = HadoopFolder.JSON.createObjectNode();
        identity.set("data", data);
        identity.put("student.init", init);
        for (String key : new String[] {"student.hidden-size", "student.intermediate-size", "student.layers", "student.heads",
            "student.kv-heads", "student.rope-theta", "student.rms-norm-eps", "sequence-length", "train.epochs",
            "train.batch-size", "train.local-steps", "train.loss", "train.tail", "train.alpha", "train.final-alpha",
            "train.response-start", "train.response-end", "train.learning-rate", "train.min-learning-rate",
            "train.warmup-share", "train.weight-decay", "train.beta1", "train.beta2", "train.epsilon",
            "train.max-gradient-norm", "train.optimizer", "train.precision", "train.outer-momentum", "train.outer-learning-rate", "train.payload"}) {
            identity.put(key, s.string(key));
        }
        // Under the name that it had when one seed drew everything; the other one is part of the data.
        identity.put("seed", s.string("train.seed"));
        return identity.put("train.workers", String.valueOf(plan.workers()));
    }
}
