// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.nd4j;

import java.util.Arrays;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.DynamicCustomOp;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.ops.transforms.Transforms;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.decoder.LanguageModelHead;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.PositionLoss;
import org.potstill.student.loss.SoftTargetLoss;
import org.potstill.student.loss.StepLoss;

/**
 * The head and the loss of {@link Nd4jDecoder}, in chunks of positions. Only the values at tokens that the teacher kept are
 * copied from the device, for {@link PositionLoss}.
 */
final class Nd4jHead {
    private final int vocabSize;
    private final Objective objective;
    private final int chunk;
    private final double cap;

    /** @param cap softcap of the logits; 0 for none */
    Nd4jHead(int vocabSize, Objective objective, double cap) {
        this.cap = cap;
        this.vocabSize = vocabSize;
        this.objective = objective;
        this.chunk = LanguageModelHead.chunk(vocabSize);
    }

    /**
     * Computes the loss and optionally its gradient.
     *
     * @param hidden  normed hidden states, {@code [rows, hiddenSize]}
     * @param dHidden overwritten with the gradient with respect to {@code hidden}; null for no gradient
     * @param dHead   overwritten with the gradient with respect to the head's weight
     */
    StepLoss loss(PackedBatch.Targets targets, double alpha, INDArray hidden, INDArray head, INDArray dHidden,
            INDArray dHead) {
        SoftTargetLoss loss = new SoftTargetLoss(targets, objective, alpha, dHidden != null);
        if (dHidden != null) {
            dHead.assign(0);
        }
        int rows = (int) hidden.size(0);
        for (int from = 0; from < rows; from += chunk) {
            int to = Math.min(rows, from + chunk);
            INDArray part = hidden.get(NDArrayIndex.interval(from, to), NDArrayIndex.all());
            INDArray logits = logits(part, head);
            INDArray slope = cap == 0 || dHidden == null ? null : logits.div(cap);
            replaceByGradient(logits, from, targets, loss);
            if (slope != null) {
                logits.muli(slope.muli(slope).rsubi(1));
            }
            if (dHidden != null) {
                dHidden.get(NDArrayIndex.interval(from, to), NDArrayIndex.all()).assign(logits.mmul(head));
                dHead.addi(Nd4j.matmul(logits, part, true, false, false));
            }
        }
        return loss.mean();
    }

    /** Returns the logits of normed hidden states, softcapped where the model has that. */
    INDArray logits(INDArray hidden, INDArray head) {
        INDArray logits = Nd4j.matmul(hidden, head, false, true, false);
        return cap == 0 ? logits : Transforms.tanh(logits.divi(cap), false).muli(cap);
    }

    /** Adds row i of {@code rows} to row {@code ids[i]} of the table. */
    void addRows(INDArray table, int[] ids, INDArray rows) {
        scatter("scatter_add", table, Nd4j.createFromArray(ids), rows);
    }

    private void replaceByGradient(INDArray logits, int first, PackedBatch.Targets targets, SoftTargetLoss loss) {
        int rows = (int) logits.size(0);
        int begin = targets.keptOffsets()[first];
        int kept = targets.keptOffsets()[first + rows] - begin;
        int[] places = new int[kept];
        int[] nextPlaces = new int[rows];
        for (int i = 0; i < rows; i++) {
            nextPlaces[i] = i * vocabSize + targets.nextIds()[first + i];
            for (int at = targets.keptOffsets()[first + i]; at < targets.keptOffsets()[first + i + 1]; at++) {
                places[at - begin] = i * vocabSize + targets.keptIds()[at];
            }
        }
        logits.subiColumnVector(logits.max(true, 1));
        INDArray flat = logits.reshape(logits.length());
        double[] next = gather(flat, nextPlaces);
        double[] keptLogits = gather(flat, places);
        INDArray exps = Transforms.exp(logits, false);
        double[] keptExps = gather(flat, places);
        if (kept > 0) {
            scatter("scatter_upd", flat, Nd4j.createFromArray(places), Nd4j.zeros(flat.dataType(), kept));
        }
        double[] tails = exps.sum(1).toDoubleVector();

        double[] factors = new double[rows];
        double[] keptGradients = new double[kept];
        double[] nextGradients = new double[rows];
        PositionLoss position = loss.position();
        for (int i = 0; i < rows; i++) {
            int at = targets.keptOffsets()[first + i] - begin;
            int end = targets.keptOffsets()[first + i + 1] - begin;
            if (!targets.counted()[first + i]) {
                continue;
            }
            position.compute(targets, first + i, vocabSize, Arrays.copyOfRange(keptLogits, at, end),
                    Arrays.copyOfRange(keptExps, at, end), tails[i], next[i]);
            loss.set(first + i, position);
            factors[i] = loss.weight() * position.tailFactor();
            nextGradients[i] = loss.weight() * position.nextGradient();
            for (int k = at; k < end; k++) {
                keptGradients[k] = loss.weight() * position.keptGradient(k - at);
            }
        }
        exps.muliColumnVector(Nd4j.createFromArray(factors).castTo(flat.dataType()).reshape(rows, 1));
        if (kept > 0) {
            scatter("scatter_add", flat, Nd4j.createFromArray(places), Nd4j.createFromArray(keptGradients).castTo(flat.dataType()));
        }
        scatter("scatter_add", flat, Nd4j.createFromArray(nextPlaces),
                Nd4j.createFromArray(nextGradients).castTo(flat.dataType()));
    }

    private static double[] gather(INDArray flat, int[] places) {
        if (places.length == 0) {
            return new double[0];
        }
        return Nd4j.exec(DynamicCustomOp.builder("gather").addInputs(flat, Nd4j.createFromArray(places))
                .addIntegerArguments(0).build())[0].toDoubleVector();
    }

    private static void scatter(String op, INDArray into, INDArray places, INDArray values) {
        Nd4j.exec(DynamicCustomOp.builder(op).addInputs(into, places, values).addOutputs(into).build());
    }
}
