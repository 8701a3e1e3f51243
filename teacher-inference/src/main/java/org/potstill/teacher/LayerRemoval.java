package org.potstill.teacher;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Measures what a decoder loses without some of its layers: KL(whole ‖ rest) in nats over full distributions, summed over
 * the positions of a batch of sequences.
 *
 * <p>What the candidates of a round of greedy removal share, all that lies before the layer left out, is computed once. Its
 * memory is outside the heap.
 */
public final class LayerRemoval implements AutoCloseable {
    /** Rows that go through the head together: their logits should stay in the processor's cache. */
    private static final int HEAD_ROWS = 128;

    private final LayerwiseModel model;
    private final TokenBatch tokens;
    private final boolean keep;
    /** The whole model's last hidden states, and their distributions by slices of {@link #HEAD_ROWS} where they are kept. */
    private LayerwiseModel.State whole;
    private final List<LayerwiseModel.State> references = new ArrayList<>();
    private double self;
    /** Layers that were run, and the states after none, one, two, … of them. */
    private int[] path = {};
    private final List<LayerwiseModel.State> states = new ArrayList<>();

    /**
     * @param model     stays open
     * @param sequences token ids; the last of each is only predicted
     * @param keep      whether to keep the whole model's distributions and the states of a round for the next, 4·(V + layers·H)
     *                  bytes per position, or compute them each time
     */
    public LayerRemoval(LayerwiseModel model, List<int[]> sequences, boolean keep) {
        this.model = model;
        this.tokens = new TokenBatch(sequences, sequences.stream().mapToInt(s -> s.length - 1).max().orElseThrow());
        this.keep = keep;
    }

    /** Measures Σ KL of the model with these of its layers only, in this order. */
    public double cost(int[] kept) {
        return model.run(() -> costInOwner(kept, kept.length));
    }

    /**
     * Measures Σ KL of each candidate: the layers {@code kept} less one of those at places {@code from} to {@code to − 1}.
     *
     * @param eachDone called after each candidate
     * @return a sum for each place, {@code to − from} in all
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

    /** Measures Σ KL of another model over the same vocabulary. */
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

    /** @param left place in {@code kept} of the layer to leave out; its length for none */
    private double costInOwner(int[] kept, int left) {
        refer();
        LayerwiseModel.State state = after(kept, left);
        for (int place = left + 1; place < kept.length; place++) {
            state = next(model, kept[place], state, place > left + 1);
        }
        LayerwiseModel.State last = state;
        return divergence(last, (begin, end, reference) -> model.cross(last, begin, end, reference), left + 1 < kept.length);
    }

    /** @param ours whether the state before is of no use afterwards */
    private LayerwiseModel.State next(LayerwiseModel of, int layer, LayerwiseModel.State before, boolean ours) {
        try {
            return of.layer(layer, tokens, before);
        } finally {
            if (ours) {
                before.close();
            }
        }
    }

    /** Σ p log q of some rows, in the thread that the model of q belongs to. */
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

    /** The state after the first {@code count} layers, from the longest beginning that is there already. */
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
        // A task that failed in between left what it had.
        for (int begin = references.size() * HEAD_ROWS; keep && begin < tokens.positions(); begin += HEAD_ROWS) {
            references.add(model.reference(whole, begin, Math.min(tokens.positions(), begin + HEAD_ROWS)));
            self += LayerwiseModel.self(references.get(begin / HEAD_ROWS));
        }
    }
}
