// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.Traits;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.Tail;

/** The decoder and its loss as the papers write them, in double precision, one sequence and one position at a time. */
public final class NaiveDecoder {
    private final CausalLmConfig config;
    private final Traits.Scales scales;
    private final Map<String, double[][]> weights = new HashMap<>();

    NaiveDecoder(CausalLmConfig config, float[] parameters) {
        this.config = config;
        this.scales = config.traits().scales();
        int at = 0;
        for (Map.Entry<String, long[]> tensor : Weights.shapes(config).entrySet()) {
            long[] shape = tensor.getValue();
            int rows = shape.length == 1 ? 1 : (int) shape[0];
            double[][] values = new double[rows][(int) shape[shape.length - 1]];
            for (double[] row : values) {
                for (int j = 0; j < row.length; j++) {
                    row[j] = parameters[at++];
                }
            }
            weights.put(tensor.getKey(), values);
        }
    }

    double[][] logits(int[] ids) {
        double[][] stream = new double[ids.length][];
        for (int t = 0; t < ids.length; t++) {
            stream[t] = times(scales.embedding(), weight("model.embed_tokens")[ids[t]]);
        }
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String name = "model.layers." + layer + ".";
            addAttention(stream, layer, name);
            for (double[] x : stream) {
                double[] normed = norm(x, LlamaTensors.feedForwardInputNorm(config, layer));
                double[] gate = linear(name + "mlp.gate_proj", normed);
                double[] up = linear(name + "mlp.up_proj", normed);
                for (int i = 0; i < gate.length; i++) {
                    gate[i] = activated(gate[i]) * up[i];
                }
                double[] output = norm(linear(name + "mlp.down_proj", gate), LlamaTensors.feedForwardOutputNorm(config, layer));
                add(x, times(scales.residual(), output));
            }
        }
        double[][] logits = new double[ids.length][];
        for (int t = 0; t < ids.length; t++) {
            double[] hidden = rmsNorm(stream[t], weight("model.norm")[0]);
            hidden = times(scales.logits(), hidden);
            logits[t] = capped(config.traits().softcaps().logits(), times(weight(config.tieWordEmbeddings() ? "model.embed_tokens" : "lm_head"), hidden));
        }
        return logits;
    }

    /** Mean kl and cross-entropy over all positions of a batch. */
    double[] losses(List<TrainingSequence> batch) {
        double kl = 0;
        double crossEntropy = 0;
        int positions = 0;
        for (TrainingSequence sequence : batch) {
            double[][] logits = logits(java.util.Arrays.copyOf(sequence.tokens(), sequence.targets().positions()));
            for (int t = 0; t < logits.length; t++) {
                kl += kl(logits[t], sequence.targets(), t);
                crossEntropy -= Math.log(softmax(logits[t])[sequence.tokens()[t + 1]]);
                positions++;
            }
        }
        return new double[] {kl / positions, crossEntropy / positions};
    }

    static double kl(double[] logits, SoftTargets targets, int t) {
        return divergence(logits, targets, t, Objective.of(1));
    }

    /** Both distributions written out over the kept tokens and, for a ghost, one bucket more. */
    public static double divergence(double[] logits, SoftTargets targets, int t, Objective objective) {
        double[] s = softmax(logits);
        int kept = targets.end(t) - targets.begin(t);
        double[] teacher = new double[kept + 1];
        double[] student = new double[kept + 1];
        teacher[kept] = 1;
        student[kept] = 1;
        for (int i = 0; i < kept; i++) {
            teacher[i] = targets.probabilities()[targets.begin(t) + i];
            student[i] = s[targets.ids()[targets.begin(t) + i]];
            teacher[kept] -= teacher[i];
            student[kept] -= student[i];
        }
        if (teacher[kept] < 1e-6) {
            teacher[kept] = 0;
        }
        if (objective.tail() == Tail.RENORMALISE) {
            double teacherMass = java.util.Arrays.stream(teacher, 0, kept).sum();
            double studentMass = java.util.Arrays.stream(student, 0, kept).sum();
            teacher = java.util.Arrays.stream(teacher, 0, kept).map(p -> p / teacherMass).toArray();
            student = java.util.Arrays.stream(student, 0, kept).map(p -> p / studentMass).toArray();
        }
        double[] mixture = new double[teacher.length];
        for (int i = 0; i < mixture.length; i++) {
            mixture[i] = (teacher[i] + student[i]) / 2;
        }
        return switch (objective.divergence()) {
            case FORWARD_KL -> relativeEntropy(teacher, student);
            case REVERSE_KL -> relativeEntropy(student, teacher);
            case JSD -> (relativeEntropy(teacher, mixture) + relativeEntropy(student, mixture)) / 2;
        };
    }

    private static double relativeEntropy(double[] p, double[] q) {
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            sum += p[i] == 0 ? 0 : p[i] * Math.log(p[i] / q[i]);
        }
        return sum;
    }

    public static double[] softmax(double[] z) {
        double max = java.util.Arrays.stream(z).max().orElseThrow();
        double[] s = java.util.Arrays.stream(z).map(x -> Math.exp(x - max)).toArray();
        double sum = java.util.Arrays.stream(s).sum();
        return java.util.Arrays.stream(s).map(x -> x / sum).toArray();
    }

    private void addAttention(double[][] stream, int layer, String name) {
        int heads = config.numAttentionHeads();
        int group = heads / config.numKeyValueHeads();
        int dim = config.headDim();
        double[][][] qkv = new double[stream.length][3][];
        for (int t = 0; t < stream.length; t++) {
            double[] normed = norm(stream[t], LlamaTensors.attentionInputNorm(config, layer));
            qkv[t][0] = rotated(headsNormed(linear(name + "self_attn.q_proj", normed), name + "self_attn.q_norm"), t, layer);
            qkv[t][1] = rotated(headsNormed(linear(name + "self_attn.k_proj", normed), name + "self_attn.k_norm"), t, layer);
            qkv[t][2] = linear(name + "self_attn.v_proj", normed);
        }
        int window = config.slidingWindow(layer);
        for (int t = stream.length - 1; t >= 0; t--) {
            int first = window == 0 ? 0 : Math.max(0, t - window + 1);
            double[] attended = new double[heads * dim];
            for (int h = 0; h < heads; h++) {
                int shared = h / group;
                double[] scores = new double[t + 1 - first];
                for (int past = first; past <= t; past++) {
                    for (int i = 0; i < dim; i++) {
                        scores[past - first] += qkv[t][0][h * dim + i] * qkv[past][1][shared * dim + i]
                                * (scales.attention() == 0 ? 1 / Math.sqrt(dim) : scales.attention());
                    }
                }
                double[] p = softmax(capped(config.traits().softcaps().attention(), scores));
                for (int past = first; past <= t; past++) {
                    for (int i = 0; i < dim; i++) {
                        attended[h * dim + i] += p[past - first] * qkv[past][2][shared * dim + i];
                    }
                }
            }
            double[] output = norm(linear(name + "self_attn.o_proj", attended), LlamaTensors.attentionOutputNorm(config, layer));
            add(stream[t], times(scales.residual(), output));
        }
    }

    private double[] rotated(double[] x, int position, int layer) {
        Traits.Rotary rotary = config.traits().rotary();
        if (rotary.unrotatedLayers().contains(layer)) {
            return x;
        }
        int dim = config.headDim();
        int turned = rotary.dimensions() == 0 ? dim : rotary.dimensions();
        boolean local = rotary.localTheta() > 0 && config.slidingWindow(layer) > 0;
        double[] out = x.clone();
        for (int first = 0; first < x.length; first += dim) {
            for (int j = 0; j < turned / 2; j++) {
                double divisor = local || config.variant().ropeDivisors().isEmpty() ? 1 : config.variant().ropeDivisors().get(j);
                double theta = local ? rotary.localTheta() : config.ropeTheta();
                double angle = position * Math.pow(theta, -2.0 * j / turned) / divisor;
                double a = x[first + j];
                double b = x[first + dim / 2 + j];
                out[first + j] = rotary.factor() * (a * Math.cos(angle) - b * Math.sin(angle));
                out[first + dim / 2 + j] = rotary.factor() * (b * Math.cos(angle) + a * Math.sin(angle));
            }
        }
        return out;
    }

    private static double[] capped(double cap, double[] x) {
        return cap == 0 ? x : java.util.Arrays.stream(x).map(each -> cap * Math.tanh(each / cap)).toArray();
    }

    private double activated(double x) {
        return config.traits().activation() == Traits.Activation.SILU ? x / (1 + Math.exp(-x))
                : x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    }

    private double[] norm(double[] x, String gain) {
        return gain == null ? x : rmsNorm(x, weights.get(gain)[0]);
    }

    private double[] rmsNorm(double[] x, double[] weight) {
        double squares = 0;
        for (double each : x) {
            squares += each * each;
        }
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = x[i] * weight[i] / Math.sqrt(squares / x.length + config.rmsNormEps());
        }
        return out;
    }

    private double[] headsNormed(double[] x, String name) {
        if (weight(name) == null) {
            return x;
        }
        double[] out = new double[x.length];
        int width = weight(name)[0].length;
        for (int first = 0; first < x.length; first += width) {
            double[] head = java.util.Arrays.copyOfRange(x, first, first + width);
            System.arraycopy(rmsNorm(head, weight(name)[0]), 0, out, first, head.length);
        }
        return out;
    }

    private double[] linear(String name, double[] x) {
        double[] out = times(weight(name), x);
        if (weights.containsKey(name + ".bias")) {
            add(out, weights.get(name + ".bias")[0]);
        }
        return out;
    }

    private double[][] weight(String name) {
        return weights.get(name + ".weight");
    }

    private static double[] times(double factor, double[] x) {
        return java.util.Arrays.stream(x).map(each -> factor * each).toArray();
    }

    private static double[] times(double[][] w, double[] x) {
        double[] out = new double[w.length];
        for (int i = 0; i < w.length; i++) {
            for (int j = 0; j < x.length; j++) {
                out[i] += w[i][j] * x[j];
            }
        }
        return out;
    }

    private static void add(double[] to, double[] x) {
        for (int i = 0; i < to.length; i++) {
            to[i] += x[i];
        }
    }
}
