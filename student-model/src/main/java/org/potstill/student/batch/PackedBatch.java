// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.batch;

import java.util.Arrays;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.potstill.kernels.HostMemory;
import org.potstill.student.dl4j.DecoderLayerConf;

/**
 * A batch of concatenated sequences without padding: every linear layer sees one matrix of {@code ids.length} rows, and only
 * attention and the rotary embedding know where sequences begin.
 *
 * @param starts    first row of each sequence, then the number of rows
 * @param positions position of each row within its sequence
 * @param ids       input token of each row
 * @param targets   the labels, or null
 */
public record PackedBatch(int[] starts, int[] positions, int[] ids, Targets targets) {
    /**
     * Labels of the rows of a batch.
     *
     * @param counted           mask: whether a row has a target
     * @param nextIds           target token of each row
     * @param keptOffsets       rows + 1 offsets into the two arrays below
     * @param keptIds           token ids that the teacher kept
     * @param keptProbabilities the teacher's probabilities of these
     */
    public record Targets(boolean[] counted, int[] nextIds, int[] keptOffsets, int[] keptIds, float[] keptProbabilities) {
        public int count() {
            int count = 0;
            for (boolean each : counted) {
                count += each ? 1 : 0;
            }
            return count;
        }
    }

    public int rows() {
        return ids.length;
    }

    public int sequences() {
        return starts.length - 1;
    }

    public int longest() {
        int longest = 0;
        for (int s = 0; s < sequences(); s++) {
            longest = Math.max(longest, starts[s + 1] - starts[s]);
        }
        return longest;
    }

    /** Packs the arrays that {@link DecoderLayerConf} describes; masks and labels may be null. */
    public static PackedBatch of(INDArray features, INDArray featuresMask, INDArray labels, INDArray labelsMask) {
        int sequences = (int) features.size(0);
        int width = (int) features.size(1);
        double[] tokens = HostMemory.doubles(features);
        double[] mask = featuresMask == null ? null : HostMemory.doubles(featuresMask);
        int[] starts = new int[sequences + 1];
        for (int s = 0; s < sequences; s++) {
            int length = 0;
            while (length < width && (mask == null || mask[s * width + length] > 0)) {
                length++;
            }
            for (int t = length; mask != null && t < width; t++) {
                if (mask[s * width + t] > 0) {
                    throw new IllegalArgumentException("padding must be on the right");
                }
            }
            starts[s + 1] = starts[s] + length;
        }
        int rows = starts[sequences];
        int[] source = new int[rows];
        int[] positions = new int[rows];
        int[] ids = new int[rows];
        for (int s = 0; s < sequences; s++) {
            for (int row = starts[s]; row < starts[s + 1]; row++) {
                positions[row] = row - starts[s];
                source[row] = s * width + positions[row];
                ids[row] = (int) tokens[source[row]];
            }
        }
        return new PackedBatch(starts, positions, ids, labels == null ? null : targets(labels, labelsMask, source));
    }

    private static Targets targets(INDArray labels, INDArray labelsMask, int[] source) {
        int width = (int) labels.size(2);
        int k = (width - 1) / 2;
        double[] values = HostMemory.doubles(labels);
        double[] mask = labelsMask == null ? null : HostMemory.doubles(labelsMask);
        int rows = source.length;
        boolean[] counted = new boolean[rows];
        int[] nextIds = new int[rows];
        int[] keptOffsets = new int[rows + 1];
        int[] keptIds = new int[rows * k];
        float[] keptProbabilities = new float[rows * k];
        int kept = 0;
        for (int row = 0; row < rows; row++) {
            int at = source[row] * width;
            counted[row] = mask == null || mask[source[row]] > 0;
            nextIds[row] = (int) values[at];
            for (int i = 0; i < k; i++) {
                if (values[at + 1 + i] >= 0) {
                    keptIds[kept] = (int) values[at + 1 + i];
                    keptProbabilities[kept++] = (float) values[at + 1 + k + i];
                }
            }
            keptOffsets[row + 1] = kept;
        }
        return new Targets(counted, nextIds, keptOffsets, Arrays.copyOf(keptIds, kept),
                Arrays.copyOf(keptProbabilities, kept));
    }
}
