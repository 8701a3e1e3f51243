// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.util.Arrays;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.impl.transforms.custom.SoftMax;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.RotaryTable;

/**
 * Causal grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245) with rotary embedding (Su et al. 2021, arXiv
 * 2104.09864) over one sequence of a fixed length T.
 *
 * <p>Each key/value head and the queries that share it take one matrix product: the queries of a group are stacked as
 * {@code [group·T, D]}. Angles and mask are stored in full shape, as ND4J broadcasts slowly.
 */
final class Nd4jAttention implements AutoCloseable {
    private final int length;
    private final int heads;
    private final int keyValueHeads;
    private final int headDim;
    /** Cosines {@code [heads·T, D]}; both halves are equal. */
    private final INDArray cos;
    /** Sines {@code [heads·T, D]}; the first half is negated. */
    private final INDArray sin;
    /** Mask {@code [group·T, T]}: 0, or a value below any score if the key comes after the query. */
    private final INDArray mask;

    Nd4jAttention(CausalLmConfig config, int length) {
        this.length = length;
        this.heads = config.numAttentionHeads();
        this.keyValueHeads = config.numKeyValueHeads();
        this.headDim = config.headDim();
        this.cos = Nd4jArrays.repeat(angles(config, false), length, headDim, heads);
        this.sin = Nd4jArrays.repeat(angles(config, true), length, headDim, heads);
        this.mask = Nd4jArrays.repeat(future(), length, length, heads / keyValueHeads);
    }

    int length() {
        return length;
    }

    /**
     * Computes attention.
     *
     * @return {@code [T, heads·D]}
     */
    INDArray attend(INDArray q, INDArray k, INDArray v) {
        INDArray queries = rotate(split(q, heads)).muli(1 / Math.sqrt(headDim));
        INDArray keys = rotate(split(k, keyValueHeads));
        INDArray values = split(v, keyValueHeads);
        long groupRows = (long) heads / keyValueHeads * length;
        INDArray scores = Nd4jArrays.allocate(groupRows, length);
        INDArray attended = Nd4jArrays.allocate((long) heads * length, headDim);
        for (int h = 0; h < keyValueHeads; h++) {
            int from = h * length;
            INDArray group = Nd4jArrays.rows(queries, h * groupRows, (h + 1) * groupRows);
            Nd4jArrays.multiplyTransposed(group, Nd4jArrays.rows(keys, from, from + length), scores);
            Nd4j.exec(new SoftMax(scores.addi(mask), scores, 1));
            Nd4jArrays.multiply(scores, Nd4jArrays.rows(values, from, from + length),
                    Nd4jArrays.rows(attended, h * groupRows, (h + 1) * groupRows));
        }
        return attended.reshape(heads, length, headDim).permute(1, 0, 2).dup('c').reshape(length, (long) heads * headDim);
    }

    @Override
    public void close() {
        cos.close();
        sin.close();
        mask.close();
    }

    /** Splits into heads, {@code [T, n·D]} to {@code [n·T, D]}. */
    private INDArray split(INDArray x, int n) {
        return x.reshape(length, n, headDim).permute(1, 0, 2).dup('c').reshape((long) n * length, headDim);
    }

    /** Applies the rotary embedding in place: rotates dimension j with j + D/2, as Hugging Face does. */
    private INDArray rotate(INDArray x) {
        long rows = x.rows();
        int half = headDim / 2;
        INDArray swapped = Nd4jArrays.allocate(rows, headDim);
        Nd4jArrays.columns(swapped, 0, half).assign(Nd4jArrays.columns(x, half, headDim));
        Nd4jArrays.columns(swapped, half, headDim).assign(Nd4jArrays.columns(x, 0, half));
        return x.muli(Nd4jArrays.rows(cos, 0, rows)).addi(swapped.muli(Nd4jArrays.rows(sin, 0, rows)));
    }

    /** Computes the factors of both halves of a head's dimensions: cosines twice, or sines of which the first half is negative. */
    private float[] angles(CausalLmConfig config, boolean sine) {
        float[] table = new float[length * headDim];
        int half = headDim / 2;
        float[] frequencies = config.rotaryFrequencies();
        for (int position = 0; position < length; position++) {
            double[] row = RotaryTable.row(position, frequencies, 1);
            for (int j = 0; j < half; j++) {
                float value = (float) row[sine ? half + j : j];
                table[position * headDim + j] = sine ? -value : value;
                table[position * headDim + half + j] = value;
            }
        }
        return table;
    }

    private float[] future() {
        float[] table = new float[length * length];
        for (int query = 0; query < length; query++) {
            Arrays.fill(table, query * length + query + 1, (query + 1) * length, -Float.MAX_VALUE / 2);
        }
        return table;
    }
}
