// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.RopeScaling;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.student.InitialWeights;
import org.potstill.student.LayerChoice;

/** The student's shape according to the {@code student.*} settings, with or without a checkpoint that it is initialised from. */
final class StudentShape {
    private static final String HEAD_DIM = "student.head-dim";
    private static final String ROPE_FACTOR = "student.rope-scaling.factor";
    /** Settings that a checkpoint alone determines, per layer or per frequency. */
    private static final List<String> CHECKPOINTS_OWN = List.of("student.sliding-from-layer", ROPE_FACTOR,
            "student.rope-scaling.low-freq-factor", "student.rope-scaling.high-freq-factor", "student.rope-scaling.original-positions");

    /** Architectures without factors and patterns of layers that only a trained model has. */
    private static final Set<Family> AT_RANDOM = EnumSet.of(Family.LLAMA, Family.MISTRAL, Family.QWEN2, Family.QWEN3);

    private StudentShape() {
    }

    /** Returns the shape of a student with random weights. */
    static CausalLmConfig of(Settings s, int vocabSize) {
        int hidden = s.integer("student.hidden-size", 2, 1 << 16);
        int heads = s.integer("student.heads", 1, 1 << 10);
        int headDim = s.integer(HEAD_DIM, 0, 1 << 12);
        if (headDim == 0 && hidden % heads != 0) {
            throw JobErrors.badValue("student.hidden-size", hidden + " is not a multiple of student.heads = " + heads
                    + ": make it one, or set student.head-dim");
        }
        headDim = headDim == 0 ? hidden / heads : headDim;
        if (headDim % 2 != 0) {
            throw JobErrors.badValue(HEAD_DIM, headDim + " is odd, but the rotary embedding turns pairs");
        }
        int keyHeads = s.integer("student.kv-heads", 1, 1 << 10);
        if (heads % keyHeads != 0) {
            throw JobErrors.badValue("student.kv-heads", keyHeads + " does not divide student.heads = " + heads);
        }
        int layers = s.integer("student.layers", 1, 1 << 10);
        double theta = s.real("student.rope-theta", 1, 1e9);
        return new CausalLmConfig(vocabSize, hidden, s.integer("student.intermediate-size", 1, 1 << 18), layers, heads, keyHeads,
                headDim, s.integer("sequence-length", 2, 1 << 20), (float) s.real("student.rms-norm-eps", 1e-12, 1), (float) theta,
                s.flag("student.tie-embeddings"), variant(s, layers, headDim, theta));
    }

    private static Variant variant(Settings s, int layers, int headDim, double theta) {
        Family family = s.choice("student.family", Family.class);
        if (!AT_RANDOM.contains(family)) {
            throw JobErrors.badValue("student.family", "a student of this architecture begins with a model: set student.init; at random begin "
                    + "llama, mistral, qwen2 and qwen3");
        }
        int window = s.integer("student.sliding-window", 0, 1 << 20);
        int from = s.integer("student.sliding-from-layer", 0, layers - 1);
        if (window > 0 && family == Family.LLAMA) {
            throw JobErrors.badValue("student.sliding-window", "a llama has no window; mistral, qwen2 and qwen3 have");
        }
        if (window > 0 && from > 0 && family == Family.MISTRAL) {
            throw JobErrors.badValue("student.sliding-from-layer", "a mistral has its window in all layers; qwen2 and qwen3 need not");
        }
        List<Integer> sliding = window == 0 ? List.of() : IntStream.range(from, layers).boxed().toList();
        return new Variant(family, family == Family.QWEN2, false, window, sliding, ropeDivisors(s, headDim, theta));
    }

    private static List<Float> ropeDivisors(Settings s, int headDim, double theta) {
        double factor = s.real(ROPE_FACTOR, 1, 1e6);
        double low = s.real("student.rope-scaling.low-freq-factor", 1e-3, 1e6);
        double high = s.real("student.rope-scaling.high-freq-factor", 1e-3, 1e6);
        if (high <= low) {
            throw JobErrors.badValue("student.rope-scaling.high-freq-factor", high + " is not above low-freq-factor = " + low);
        }
        return factor == 1 ? List.of()
                : new RopeScaling(factor, low, high, s.real("student.rope-scaling.original-positions", 1, 1 << 24)).divisors(headDim, theta);
    }

    /**
     * Returns the shape of a student initialised with all or some of a checkpoint's layers. It keeps the checkpoint's maximum
     * sequence length if that exceeds the length of the training sequences.
     *
     * @param path path of the checkpoint, for messages
     * @throws org.potstill.errors.UserException if a setting contradicts the checkpoint
     */
    static CausalLmConfig of(Settings s, CausalLmConfig checkpoint, String path, LayerChoice choice) {
        int layers = s.isGiven("student.layers") ? s.integer("student.layers", 1, 1 << 10) : checkpoint.numHiddenLayers();
        CausalLmConfig c = InitialWeights.shape(checkpoint, path, layers, choice);
        values(c).forEach((key, there) -> {
            String wanted = s.string(key).trim().toLowerCase(Locale.ROOT);
            boolean open = !s.isGiven(key) || (key.equals(HEAD_DIM) && wanted.equals("0"));
            if (!open && !wanted.equals(there.toString())) {
                throw JobErrors.initShapeDiffers(path, key, wanted, there);
            }
        });
        CHECKPOINTS_OWN.stream().filter(s::isGiven).findFirst().ifPresent(key -> {
            throw JobErrors.badValue(key, "a student keeps what the model of student.init has of this: leave it out");
        });
        float epsilon = s.isGiven("student.rms-norm-eps") ? (float) s.real("student.rms-norm-eps", 1e-12, 1) : c.rmsNormEps();
        float theta = s.isGiven("student.rope-theta") ? (float) s.real("student.rope-theta", 1, 1e9) : c.ropeTheta();
        int positions = Math.max(s.integer("sequence-length", 2, 1 << 20), c.maxPositionEmbeddings());
        return new CausalLmConfig(c.vocabSize(), c.hiddenSize(), c.intermediateSize(), layers, c.numAttentionHeads(),
                c.numKeyValueHeads(), c.headDim(), positions, epsilon, theta, c.tieWordEmbeddings(), c.variant());
    }

    /** Returns the settings, completed with this shape. */
    static Settings described(Settings settings, CausalLmConfig c) {
        Settings described = settings;
        Map<String, Object> values = values(c);
        values.put("student.layers", c.numHiddenLayers());
        values.put("student.rope-theta", decimal(c.ropeTheta()));
        values.put("student.rms-norm-eps", decimal(c.rmsNormEps()));
        for (Map.Entry<String, Object> each : values.entrySet()) {
            described = settings.isGiven(each.getKey()) ? described : described.with(each.getKey(), each.getValue());
        }
        return described;
    }

    /** Returns the settings that must equal those of the checkpoint. */
    private static Map<String, Object> values(CausalLmConfig c) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("student.hidden-size", c.hiddenSize());
        values.put("student.intermediate-size", c.intermediateSize());
        values.put("student.heads", c.numAttentionHeads());
        values.put("student.kv-heads", c.numKeyValueHeads());
        values.put(HEAD_DIM, c.headDim());
        values.put("student.family", c.variant().family().name().toLowerCase(Locale.ROOT));
        values.put("student.tie-embeddings", c.tieWordEmbeddings());
        values.put("student.sliding-window", c.variant().slidingWindow());
        return values;
    }

    /** Converts a float to the double nearest to its shortest decimal representation. */
    private static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }
}
