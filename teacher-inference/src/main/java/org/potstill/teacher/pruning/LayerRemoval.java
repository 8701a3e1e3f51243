// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.pruning;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * The loss of a decoder without some of its layers: KL(whole ‖ rest) in nats over full distributions, summed over the
 * positions of a batch of sequences.
 *
 * <p>The candidates of a round of greedy removal share the layers before the one left out; these are computed once.
 * Hidden states and distributions are off-heap.
 */
public final class LayerRemoval implements AutoCloseable {
    /** Rows per call of the head: their logits should fit into the CPU's cache. */
    private static final int HEAD_ROWS = 128;

    private final LayerwiseModel model;
    private final TokenBatch tokens;
    private final boolean keep;
    /** The whole model's last hidden states and, if kept, their distributions by slices of {@link #HEAD_ROWS}. */
    private LayerwiseModel.State whole;
    private final List<LayerwiseModel.State> references = new ArrayList<>();
    private double self;
    /** Layers run so far, and the states after none, one, two, … of them. */
    private int[] path = {};
    private final List<LayerwiseModel.State> states = new ArrayList<>();

    /**
     * Prepares to measure on a batch of sequences.
     *
     * @param model     stays open
     * @param sequences token ids; the last of each is only predicted
     * @param keep      whether to keep the whole model's distributions, and a round's states for the next round, 4·(V +
     *                  layers·H) bytes per position, instead of recomputing them
     */
    public LayerRemoval(LayerwiseModel model, List<int[]> sequences, boolean keep) {
        this.model = model;
        this.tokens = new TokenBatch(sequences, sequences.stream().mapToInt(s -> s.length - 1).max().orElseThrow());
        this.keep = keep;
    }

    /** Measures Σ KL, in nats, of the model with only these of its layers, in this order. */
    public double cost(int[] kept) {
        return model.run(() -> costInOwner(kept, kept.length));
    }

    /**
     * Measures Σ KL, in nats, of each candidate: the layers {@code kept} without the one at each of the places {@code
     * from} to {@code to − 1}.
     *
     * @param eachDone called after each candidate
     * @return {@code to − from} sums, one per place
     */
    public double[] costs(int[] kept, int from, int to, Runnable eachDone) {
        return model.run(() -> {
            double[] costs = IntStream.range(from, to).mapToDouble(left -> {
                double cost = costInOwner(kept, left);
                eachDone.run();
                return cost;
            }).toArray();
            if (!keep) {
                drop(0);
                path = new int[0];
            }
            return costs;
        });
    }

    /** Measures Σ KL, in nats, of another model with the same vocabulary. */
    public double cost(LayerwiseModel other) {
        return model.run(() -> {
            refer();
            LayerwiseModel.State last = other.run(() -> last(other));
            return divergence(last, (begin, end, reference) -> other.run(() -> other.cross(last, begin, end, reference)), true);
        });
    }

    @Override
    public void close() {
        model.run(() -> {
            drop(0);
            references.forEach(LayerwiseModel.State::close);
            if (whole != null) {
                whole.close();
            }
            return null;
        });
    }

    /**
     * Measures one candidate, in the thread that owns the model.
     *
     * @param left place in {@code kept} of the layer to leave out; {@code kept.length} for none
     */
    private double costInOwner(int[] kept, int left) {
        refer();
        LayerwiseModel.State state = after(kept, left);
        for (int place = left + 1; place < kept.length; place++) {
            state = next(model, kept[place], state, place > left + 1);
        }
        LayerwiseModel.State last = state;
        return divergence(last, (begin, end, reference) -> model.cross(last, begin, end, reference), left + 1 < kept.length);
    }

    /**
     * Runs a layer.
     *
     * @param ours whether to close the state before it
     */
    private LayerwiseModel.State next(LayerwiseModel of, int layer, LayerwiseModel.State before, boolean ours) {
        try {
            return of.layer(layer, tokens, before);
        } finally {
            if (ours) {
                before.close();
            }
        }
    }

    /** Computes Σ p log q of some rows, in the thread that owns the model of q. */
    private interface Cross {
        double of(int begin, int end, LayerwiseModel.State reference);
    }

    private LayerwiseModel.State last(LayerwiseModel of) {
        LayerwiseModel.State state = of.embed(tokens);
        for (int layer = 0; layer < of.config().numHiddenLayers(); layer++) {
            state = next(of, layer, state, true);
        }
        return state;
    }

    private double divergence(LayerwiseModel.State state, Cross crossing, boolean ours) {
        try {
            double cross = 0;
            double entropies = 0;
            for (int begin = 0; begin < tokens.positions(); begin += HEAD_ROWS) {
                int end = Math.min(tokens.positions(), begin + HEAD_ROWS);
                LayerwiseModel.State reference = keep ? references.get(begin / HEAD_ROWS) : model.reference(whole, begin, end);
                cross += crossing.of(begin, end, reference);
                if (!keep) {
                    entropies += LayerwiseModel.self(reference);
                    reference.close();
                }
            }
            return (keep ? self : entropies) - cross;
        } finally {
            if (ours) {
                state.close();
            }
        }
    }

    /** Returns the state after the first {@code count} layers, reusing the longest common prefix already computed. */
    private LayerwiseModel.State after(int[] kept, int count) {
        int shared = 0;
        while (shared < Math.min(path.length, kept.length) && path[shared] == kept[shared]) {
            shared++;
        }
        if (states.isEmpty()) {
            states.add(model.embed(tokens));
        }
        drop(shared + 1);
        path = Arrays.copyOf(path, shared);
        for (int place = states.size() - 1; place < count; place++) {
            states.add(model.layer(kept[place], tokens, states.get(place)));
            path = Arrays.copyOf(kept, place + 1);
        }
        return states.get(count);
    }

    private void drop(int from) {
        while (states.size() > from) {
            states.remove(states.size() - 1).close();
        }
    }

    private void refer() {
        if (whole == null) {
            whole = last(model);
        }
        // A failed task may have left some of them.
        for (int begin = references.size() * HEAD_ROWS; keep && begin < tokens.positions(); begin += HEAD_ROWS) {
            references.add(model.reference(whole, begin, Math.min(tokens.positions(), begin + HEAD_ROWS)));
            self += LayerwiseModel.self(references.get(begin / HEAD_ROWS));
        }
    }
}
