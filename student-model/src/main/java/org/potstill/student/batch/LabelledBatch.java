// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.batch;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.HostMemory;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.dl4j.DecoderLayerConf;
import org.potstill.student.errors.StudentErrors;

/**
 * Training sequences as the arrays that {@link DecoderLayerConf} describes. Teacher probabilities of ids beyond the student's
 * vocabulary are dropped (see {@link SoftTargets#below}); token ids beyond it are rejected.
 */
public record LabelledBatch(INDArray features, INDArray labels, INDArray featuresMask, INDArray labelsMask) implements AutoCloseable {
    public static LabelledBatch of(List<TrainingSequence> batch, CausalLmConfig config, DataType type) {
        int width = 0;
        int k = 0;
        List<SoftTargets> all = new ArrayList<>();
        for (TrainingSequence sequence : batch) {
            requireFit(sequence, config);
            SoftTargets targets = sequence.targets().below(config.vocabSize());
            all.add(targets);
            width = Math.max(width, targets.positions());
            for (int t = 0; t < targets.positions(); t++) {
                k = Math.max(k, targets.end(t) - targets.begin(t));
            }
        }
        if (width == 0) {
            throw new IllegalArgumentException("a batch with nothing to predict");
        }
        int label = 1 + 2 * k;
        float[] features = new float[batch.size() * width];
        float[] labels = new float[Math.multiplyExact(features.length, label)];
        float[] featuresMask = new float[features.length];
        float[] labelsMask = new float[features.length];
        for (int s = 0; s < batch.size(); s++) {
            int[] tokens = batch.get(s).tokens();
            SoftTargets targets = all.get(s);
            boolean[] counted = batch.get(s).counted();
            for (int t = 0; t < targets.positions(); t++) {
                int row = s * width + t;
                features[row] = tokens[t];
                featuresMask[row] = 1;
                labelsMask[row] = counted == null || counted[t] ? 1 : 0;
                int at = row * label;
                labels[at] = tokens[t + 1];
                int kept = targets.end(t) - targets.begin(t);
                for (int i = 0; i < k; i++) {
                    labels[at + 1 + i] = i < kept ? targets.ids()[targets.begin(t) + i] : -1;
                    labels[at + 1 + k + i] = i < kept ? targets.probabilities()[targets.begin(t) + i] : 0;
                }
            }
        }
        return new LabelledBatch(
                array(features, type, batch.size(), width),
                array(labels, type, batch.size(), width, label),
                array(featuresMask, type, batch.size(), width),
                array(labelsMask, type, batch.size(), width));
    }

    /** Converts one sequence's token ids to a features array, without labels. */
    public static INDArray features(int[] ids, CausalLmConfig config, DataType type) {
        requireFit(ids, config);
        requirePositions(ids.length, config);
        float[] features = new float[ids.length];
        for (int t = 0; t < ids.length; t++) {
            features[t] = ids[t];
        }
        return array(features, type, 1, ids.length);
    }

    /** Frees the off-heap memory, which would otherwise accumulate: the garbage collector sees only small Java objects. */
    @Override
    public void close() {
        features.close();
        labels.close();
        featuresMask.close();
        labelsMask.close();
    }

    private static INDArray array(float[] values, DataType type, long... shape) {
        INDArray array = Nd4j.createUninitializedDetached(type, shape);
        HostMemory.write(array, values);
        return array;
    }

    private static void requireFit(TrainingSequence sequence, CausalLmConfig config) {
        requireFit(sequence.tokens(), config);
        requirePositions(sequence.targets().positions(), config);
    }

    private static void requirePositions(int positions, CausalLmConfig config) {
        if (positions > config.maxPositionEmbeddings()) {
            throw StudentErrors.sequenceTooLong(positions, config.maxPositionEmbeddings());
        }
    }

    private static void requireFit(int[] ids, CausalLmConfig config) {
        for (int id : ids) {
            if (id < 0 || id >= config.vocabSize()) {
                throw StudentErrors.vocabularyMisfit(id, config.vocabSize());
            }
        }
    }
}
