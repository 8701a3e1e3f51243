// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.pruning.Cuts;
import org.potstill.checkpoints.pruning.PrunedCheckpoint;
import org.potstill.spark.Cluster;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.pruning.LayerRemoval;
import org.potstill.teacher.pruning.LayerwiseModel;
import org.potstill.teacher.pruning.WidthImportance;

/**
 * Access of tasks to the model being pruned: one per executor JVM, with its cached results for each batch.
 *
 * @param run         unique name of the job's run
 * @param setting     name of the setting that holds the model's path, for messages
 * @param fingerprint fingerprint of the model seen by the driver
 * @param cores       CPU cores per executor
 * @param batches     sequences that go through the model together
 * @param keep        whether executors cache results from round to round, see {@link LayerRemoval}
 */
record ExecutorLayers(String run, String setting, TeacherSource source, String fingerprint, int cores, Broadcast<SerializableConfiguration> hadoop,
        Broadcast<List<List<int[]>>> batches, boolean keep) implements Serializable {
    private static final ExecutorCache<LayerwiseModel> MODELS = new ExecutorCache<>();
    /** The model after width cuts; one set of cuts per run. */
    private static final ExecutorCache<LayerwiseModel> RESTS = new ExecutorCache<>();
    private static final ExecutorCache<LayerRemoval> REMOVALS = new ExecutorCache<>();
    private static String current;

    WidthImportance importance(int batch) {
        synchronized (ExecutorLayers.class) {
            return WidthImportance.measure(model(), batches.value().get(batch));
        }
    }

    /** Measures Σ KL, in nats, of each candidate, see {@link LayerRemoval#costs}. */
    double[] costs(int batch, int[] kept, int from, int to, Runnable eachDone) {
        synchronized (ExecutorLayers.class) {
            return removal(batch).costs(kept, from, to, eachDone);
        }
    }

    double cost(int batch, int[] kept) {
        synchronized (ExecutorLayers.class) {
            return removal(batch).cost(kept);
        }
    }

    /** Measures Σ KL, in nats, of the model after cuts. */
    double cost(int batch, Cuts cuts) {
        synchronized (ExecutorLayers.class) {
            LayerRemoval removal = removal(batch);
            return removal.cost(RESTS.get(run, () -> {
                try (Checkpoint original = open()) {
                    return LayerwiseModel.open(new PrunedCheckpoint(original, cuts), source.options(cores, gpu()));
                }
            }));
        }
    }

    /** Frees the executor's memory. */
    static void release() {
        synchronized (ExecutorLayers.class) {
            REMOVALS.clear();
            MODELS.clear();
            RESTS.clear();
            current = null;
        }
    }

    private LayerRemoval removal(int batch) {
        LayerwiseModel model = model();
        return REMOVALS.get(run, batch, () -> new LayerRemoval(model, batches.value().get(batch), keep));
    }

    private LayerwiseModel model() {
        if (!run.equals(current)) {
            // Cached states are freed before the model that they belong to.
            release();
            current = run;
        }
        return MODELS.get(run, () -> {
            try (Checkpoint checkpoint = open()) {
                return LayerwiseModel.open(checkpoint, source.options(cores, gpu()));
            }
        });
    }

    private static int gpu() {
        return Cluster.gpuOfTask().orElse(0);
    }

    private Checkpoint open() {
        CausalLm model = Teachers.model(TeacherSource.localPath(setting, source.uri(), source.scratch(), hadoop.value().value()));
        if (!(model instanceof Checkpoint checkpoint)) {
            throw PruneErrors.notPrunable(source.uri());
        }
        if (!model.fingerprint().equals(fingerprint)) {
            throw JobErrors.modelDiffers(setting, source.uri(), fingerprint, model.fingerprint());
        }
        return checkpoint;
    }
}
