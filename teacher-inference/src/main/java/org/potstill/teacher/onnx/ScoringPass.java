// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.DrawPoints;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TargetsBuilder;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * A batch on its way through an engine: the inputs and outputs of a {@link LlamaGraph}. The thread that wants the scores
 * prepares and reads it; the engine's thread only runs it, and can meanwhile proceed to the next.
 */
final class ScoringPass {
    private final TokenBatch batch;
    private final int k;
    private final int draws;
    private final LongBuffer inputIds;
    private final LongBuffer positions;
    private final LongBuffer nextIds;
    private final DoubleBuffer points;
    private final FloatBuffer top;
    private final IntBuffer topIds;
    private final IntBuffer drawn;
    private final FloatBuffer drawnMass;
    private final FloatBuffer next;
    private final FloatBuffer entropy;

    /**
     * Prepares a pass.
     *
     * @param spec    of the kind that the engine's graph was built for; k at most the vocabulary size
     * @param buffers not used by another pass until this one has been read
     * @throws EngineOutOfMemory if the batch does not fit into memory
     */
    ScoringPass(TokenBatch batch, TargetSpec spec, PassBuffers buffers) {
        this.batch = batch;
        this.k = spec.k();
        this.draws = spec.draws();
        int n = batch.positions();
        inputIds = batch.inputIds();
        positions = batch.flatPositions();
        nextIds = batch.nextIds();
        points = buffers.doubles("points", (long) n * draws);
        fill(points, batch, spec);
        top = buffers.floats("top", (long) n * k);
        topIds = buffers.ints("top ids", (long) n * k);
        drawn = buffers.ints("drawn", (long) n * draws);
        drawnMass = buffers.floats("drawn mass", draws == 0 ? 0 : n);
        next = buffers.floats("next", n);
        entropy = buffers.floats("entropy", n);
    }

    /** Fills in the points of all positions, [N, draws]. */
    private static void fill(DoubleBuffer all, TokenBatch batch, TargetSpec spec) {
        if (spec.draws() > 0) {
            for (int[] tokens : batch.sequences()) {
                DrawPoints points = new DrawPoints(tokens, spec);
                for (int t = 0; t < tokens.length - 1; t++) {
                    all.put(points.at(t));
                }
            }
        }
        all.flip();
    }

    @Override
    public String toString() {
        return "a batch of " + batch.sequences().size() + " × " + batch.paddedLength() + " tokens";
    }

    /** Returns the inputs of the graph by name; callers close them. */
    Map<String, OnnxTensor> inputs() throws OrtException {
        int n = batch.positions();
        Map<String, OnnxTensor> inputs = tokens(batch, inputIds, positions);
        inputs.put(LlamaGraph.NEXT_IDS, tensor(nextIds, n, 1));
        if (k > 0) {
            inputs.put(LlamaGraph.K, tensor(TokenBatch.direct(1).put(0, k), 1));
        }
        if (draws > 0) {
            inputs.put(LlamaGraph.POINTS, tensor(points, n, draws));
        }
        return inputs;
    }

    /** Returns the tensors for the graph's outputs by name; callers close them. */
    Map<String, OnnxTensor> outputs() throws OrtException {
        int n = batch.positions();
        Map<String, OnnxTensor> outputs = new LinkedHashMap<>();
        if (k > 0) {
            outputs.put(LlamaGraph.TOP_LOG_PROBABILITIES, tensor(top, n, k));
            outputs.put(LlamaGraph.TOP_IDS, tensor(topIds, n, k));
        }
        if (draws > 0) {
            outputs.put(LlamaGraph.DRAWS, tensor(drawn, n, draws));
            outputs.put(LlamaGraph.DRAWN_MASS, tensor(drawnMass, n, 1));
        }
        outputs.put(LlamaGraph.NEXT_LOG_PROBABILITY, tensor(next, n, 1));
        outputs.put(LlamaGraph.ENTROPY, tensor(entropy, n, 1));
        return outputs;
    }

    /** Builds targets from the outputs; one result per sequence, in order. */
    List<ScoredSequence> read() {
        List<ScoredSequence> scored = new ArrayList<>();
        int row = 0;
        for (int[] sequence : batch.sequences()) {
            int count = sequence.length - 1;
            scored.add(read(row, count));
            row += count;
        }
        return scored;
    }

    private ScoredSequence read(int firstRow, int count) {
        TargetsBuilder targets = new TargetsBuilder(count, k, draws);
        float[] logProbabilities = new float[count];
        float[] entropies = new float[count];
        float[] ofTop = new float[k];
        int[] idsOfTop = new int[k];
        int[] ofDraws = new int[draws];
        next.get(firstRow, logProbabilities);
        entropy.get(firstRow, entropies);
        for (int t = 0; t < count; t++) {
            int row = firstRow + t;
            top.get(row * k, ofTop);
            if (Float.isNaN(logProbabilities[t]) || k > 0 && !Float.isFinite(ofTop[0])
                    || draws > 0 && !Float.isFinite(drawnMass.get(row))) {
                return ScoredSequence.notFinite(t);
            }
            logProbabilities[t] = Math.min(0, logProbabilities[t]);
            topIds.get(row * k, idsOfTop);
            for (int i = 0; i < k; i++) {
                targets.add(idsOfTop[i], Math.exp(ofTop[i]));
            }
            drawn.get(row * draws, ofDraws);
            targets.endPosition(ofDraws, draws == 0 ? 0 : drawnMass.get(row));
        }
        return ScoredSequence.of(targets.build(), logProbabilities, entropies);
    }

    /** Returns the inputs that all graphs share. */
    static Map<String, OnnxTensor> tokens(TokenBatch batch) throws OrtException {
        return tokens(batch, batch.inputIds(), batch.flatPositions());
    }

    private static Map<String, OnnxTensor> tokens(TokenBatch batch, LongBuffer inputIds, LongBuffer positions) throws OrtException {
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        inputs.put(LlamaGraph.INPUT_IDS, tensor(inputIds, batch.sequences().size(), batch.paddedLength()));
        inputs.put(LlamaGraph.POSITIONS, tensor(positions, batch.positions()));
        return inputs;
    }

    private static OnnxTensor tensor(LongBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OnnxRuntime.environment(), values, shape);
    }

    private static OnnxTensor tensor(IntBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OnnxRuntime.environment(), values, shape);
    }

    private static OnnxTensor tensor(DoubleBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OnnxRuntime.environment(), values, shape);
    }

    static OnnxTensor tensor(FloatBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OnnxRuntime.environment(), values, shape);
    }
}
