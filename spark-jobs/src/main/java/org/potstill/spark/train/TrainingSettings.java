// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.student.Student;
import org.potstill.student.loss.Divergence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.Tail;
import org.potstill.student.onnx.OnnxTrainer;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;

/** Access to the settings that determine the trained student. */
final class TrainingSettings {
    private static final String ENGINE = "train.engine";
    private static final String PRECISION = "train.precision";
    private static final String OVERLAP = "train.overlap";
    private static final String GRACE = "train.grace";
    private static final int SECONDS_OF_DAY = 86_400;
    private static final String INIT_LAYERS = "student.init-layers";
    /** Not a setting: version of the response search, which determines the loss masks. */
    private static final String RESPONSE_SEARCH = "train.response-search";
    /** Settings added after the first students were trained, with the values that applied before. */
    private static final Map<String, String> LATER = Map.ofEntries(Map.entry("student.family", "llama"),
            Map.entry("student.head-dim", "0"), Map.entry("student.tie-embeddings", "true"), Map.entry("student.sliding-window", "0"),
            Map.entry("student.sliding-from-layer", "0"), Map.entry("student.rope-scaling.factor", "1.0"),
            Map.entry("student.rope-scaling.low-freq-factor", "1.0"), Map.entry("student.rope-scaling.high-freq-factor", "4.0"),
            Map.entry("student.rope-scaling.original-positions", "8192"), Map.entry(INIT_LAYERS, "evenly-spaced"),
            Map.entry("train.learn-from", "everything"), Map.entry("train.average", "everything"), Map.entry(OVERLAP, "0"),
            Map.entry(ENGINE, "dl4j"));

    private TrainingSettings() {
    }

    /** Replaces {@code auto} by the driver's choice, which is part of the student's identity: engine and precision. */
    static Settings resolved(Settings s) {
        Settings chosen = isAuto(s, ENGINE) ? s.with(ENGINE, OnnxTrainer.supports(withoutAuto(s)) && OnnxRuntime.hasCuda() ? "onnx" : "dl4j") : s;
        return isAuto(s, PRECISION) ? chosen.with(PRECISION, canUseBf16(engine(chosen)) ? "bf16" : "fp32") : chosen;
    }

    private static boolean canUseBf16(TrainingEngine engine) {
        return engine == TrainingEngine.ONNX ? OnnxRuntime.hasCuda() : Student.canUseBf16();
    }

    private static boolean isAuto(Settings s, String key) {
        return s.string(key).equalsIgnoreCase("auto");
    }

    private static TrainingOptions withoutAuto(Settings s) {
        return options(isAuto(s, PRECISION) ? s.with(PRECISION, "fp32") : s, 1);
    }

    /** Returns the engine of {@link #resolved} settings. */
    static TrainingEngine engine(Settings s) {
        return s.choice(ENGINE, TrainingEngine.class, "auto");
    }

    /** Validates what determines a step. */
    static void check(Settings s) {
        TrainingOptions options = withoutAuto(s);
        if (!isAuto(s, ENGINE) && engine(s) == TrainingEngine.ONNX) {
            OnnxTrainer.requireSupport(options);
        }
    }

    static TrainingOptions options(Settings s, int totalSteps) {
        double peak = s.real("train.learning-rate", 0, 100);
        double floor = s.real("train.min-learning-rate", 0, 100);
        Objective objective = new Objective(s.real("train.alpha", 0, 1), s.real("train.final-alpha", 0, 1),
                s.choice("train.loss", Divergence.class), s.choice("train.tail", Tail.class));
        TrainingOptions options = new TrainingOptions(objective, peak,
                (int) Math.round(s.real("train.warmup-share", 0, 1) * totalSteps), totalSteps,
                Math.min(floor, peak), s.real("train.weight-decay", 0, 10),
                s.real("train.beta1", 0, Settings.BELOW_ONE), s.real("train.beta2", 0, Settings.BELOW_ONE), s.real("train.epsilon", Settings.ABOVE_ZERO, 1),
                s.real("train.max-gradient-norm", 0, Double.MAX_VALUE),
                s.choice("train.optimizer", TrainingOptions.Optimizer.class), s.flag("train.gradient-checkpointing"),
                s.choice(PRECISION, MatrixPrecision.class, "auto"));
        if (floor > peak) {
            throw JobErrors.badValue(s.isGiven("train.min-learning-rate") ? "train.min-learning-rate" : "train.learning-rate",
                    "train.min-learning-rate, " + floor + ", is more than train.learning-rate, " + peak);
        }
        return options;
    }

    static OuterOptimizer outer(Settings s) {
        return new OuterOptimizer(s.real("train.outer-momentum", 0, Settings.BELOW_ONE), s.real("train.outer-learning-rate", 0, 100));
    }

    /** Returns the loss, in nats per token, above which training counts as diverged. */
    static double maxLoss(Settings s, int vocabSize) {
        double beyond = s.real("train.max-loss-beyond-chance", 0, Double.MAX_VALUE);
        return beyond == 0 ? Double.MAX_VALUE : Math.log(vocabSize) + beyond;
    }

    /**
     * Returns the plan.
     *
     * @param sequences sequences per epoch
     */
    static TrainingPlan plan(Settings s, long sequences, int workers) {
        return new TrainingPlan(sequences, batchSize(s), workers, s.integer("train.local-steps", 1, 1 << 20), s.integer("train.epochs", 1, 1 << 20));
    }

    static int batchSize(Settings s) {
        return s.integer("train.batch-size", 1, 1 << 20);
    }

    /** Returns the configured number of workers; 0 for one per task slot of the cluster. */
    static int workers(Settings s) {
        return s.integer("train.workers", 0, 100_000);
    }

    static Averaging averaging(Settings s) {
        return s.choice("train.average", Averaging.class);
    }

    /** Returns the number of local steps that a worker takes while the average travels. */
    static int overlap(Settings s) {
        int overlap = s.integer(OVERLAP, 0, 1 << 20);
        if (overlap > 0 && averaging(s) == Averaging.EVERYTHING) {
            throw JobErrors.badValue(OVERLAP, "a worker cannot take steps without the average of Adam's moments; it is for train.average = parameters");
        }
        if (overlap > 0 && overlap >= s.integer("train.local-steps", 1, 1 << 20)) {
            throw JobErrors.badValue(OVERLAP, overlap + " steps do not leave one in a round of train.local-steps = " + s.string("train.local-steps"));
        }
        return overlap;
    }

    /** Returns the seconds after which a round closes without late workers; 0 if it waits for all. */
    static double grace(Settings s) {
        double grace = s.real(GRACE, 0, SECONDS_OF_DAY);
        if (grace > 0 && averaging(s) == Averaging.EVERYTHING) {
            throw JobErrors.badValue(GRACE, "Adam's moments cannot be averaged late; it is for train.average = parameters");
        }
        if (grace > 0 && overlap(s) > 0) {
            throw JobErrors.badValue(GRACE, "with train.overlap, workers begin before the round that they take an average from has closed; it is for train.overlap = 0");
        }
        return grace;
    }

    static Payload payload(Settings s) {
        Payload payload = s.choice("train.payload", Payload.class);
        if (averaging(s) == Averaging.EVERYTHING && !payload.isForMoments()) {
            throw JobErrors.badValue("train.payload", s.string("train.payload") + " is too coarse for Adam's moments; it is for train.average = parameters");
        }
        return payload;
    }

    static int checkpointRounds(Settings s) {
        return s.integer("train.checkpoint-rounds", 0, 1 << 20);
    }

    static int keepCheckpoints(Settings s) {
        return s.integer("train.keep-checkpoints", 1, 1000);
    }

    /**
     * Returns what a checkpoint must match for this run to resume from it, and a finished student to count as this run's result.
     * {@link #LATER} settings are included only if they differ from their earlier values, so that older runs can be resumed.
     *
     * @param init fingerprint of the initial checkpoint, which determines the whole shape; empty for random weights
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
        if (!s.string("train.response-start").isEmpty()) {
            identity.put(RESPONSE_SEARCH, "text");
        }
        // Keeps the name from when there was a single seed; the other seed is part of the data.
        identity.put("seed", s.string("train.seed"));
        new TreeMap<>(LATER).forEach((key, before) -> {
            boolean counts = key.equals(INIT_LAYERS) != init.isEmpty();
            String value = s.string(key).trim().toLowerCase(Locale.ROOT);
            if (counts && !value.equals(before)) {
                identity.put(key, value);
            }
        });
        return identity.put("train.workers", String.valueOf(plan.workers()));
    }

    /** Returns the value of a setting in an identity. */
    static JsonNode said(JsonNode identity, String key) {
        JsonNode said = identity.path(key);
        if (said.isMissingNode() && key.equals(RESPONSE_SEARCH)) {
            return TextNode.valueOf("tokens");
        }
        return said.isMissingNode() && LATER.containsKey(key) ? TextNode.valueOf(LATER.get(key)) : said;
    }
}
