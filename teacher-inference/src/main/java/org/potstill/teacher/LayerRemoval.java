package org.potstill.teacher;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Measures what a decoder loses without some of its layers: KL(whole ‖ rest) in nats over full distributions, summed over
 * the positions of some text.
 *
 * <p>What the candidates of a round of greedy removal share, all that lies before the layer left out, is computed once and
 * kept for the next round. Holds the whole model's distributions, 4·V bytes per position, outside the heap.
 */
public final class LayerRemoval implements AutoCloseable {
    /** Rows that go through the head together: their logits should stay in the processor's cache. */
    private static final int HEAD_ROWS = 128;

    private final LayerwiseModel model;
    private final List<Batch> batches = new ArrayList<>();

    /**
     * @param model     stays open
     * @param sequences token ids; the last of each is only predicted
     */
    public LayerRemoval(LayerwiseModel model, List<int[]> sequences, int batchTokens) {
        this.model = model;
        int[] lengths = sequences.stream().mapToInt(s -> s.length).toArray();
        int longest = Arrays.stream(lengths).max().orElseThrow();
        for (int[] members : Batches.plan(lengths, longest, batchTokens)) {
            List<int[]> together = Arrays.stream(members).mapToObj(sequences::get).toList();
            int padded = together.stream().mapToInt(s -> s.length - 1).max().orElseThrow();
            batches.add(new Batch(new TokenBatch(together, padded)));
        }
    }

    public long positions() {
        return batches.stream().mapToLong(batch -> batch.tokens.positions()).sum();
    }

    /** Σ KL of the model with these of its layers only, in this order. */
    public double cost(int[] kept) {
        return model.run(() -> batches.stream().mapToDouble(batch -> batch.cost(kept, kept.length)).sum());
    }

    /**
     * Σ KL of each candidate: the layers {@code kept} less one of those at places {@code from} to {@code to − 1}.
     *
     * @return a sum for each place, {@code to − from} in all
     */
    public double[] costs(int[] kept, int from, int to) {
        return model.run(() -> IntStream.range(from, to)
                .mapToDouble(left -> batches.stream().mapToDouble(batch -> batch.cost(kept, left)).sum()).toArray());
    }

    @Override
    public void close() {
        model.run(() -> {
            batches.forEach(Batch::close);
            return null;
        });
    }

    /** Sequences that go through the model together, and how far they have come. */
    private final class Batch {
        private final TokenBatch tokens;
        private final List<LayerwiseModel.State> references = new ArrayList<>();
        private double self;
        /** Layers that were run, and the states after none, one, two, … of them. */
        private int[] path = {};
        private final List<LayerwiseModel.State> states = new ArrayList<>();

        Batch(TokenBatch tokens) {
            this.tokens = tokens;
        }

        /** @param left place in {@code kept} of the layer to leave out; its length for none */
        double cost(int[] kept, int left) {
            refer();
            LayerwiseModel.State state = after(kept, left);
            boolean ours = false;
            for (int place = left + 1; place < kept.length; place++) {
                LayerwiseModel.State next = model.layer(kept[place], tokens, state);
                if (ours) {
                    state.close();
                }
                state = next;
                ours = true;
            }
            double cross = 0;
            for (int i = 0; i < references.size(); i++) {
                cross += model.cross(state, i * HEAD_ROWS, end(i), references.get(i));
            }
            if (ours) {
                state.close();
            }
            return self - cross;
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
            if (shared < path.length) {
                drop(shared + 1);
            }
            for (int place = states.size() - 1; place < count; place++) {
                states.add(model.layer(kept[place], tokens, states.get(place)));
            }
            path = Arrays.copyOf(kept, states.size() - 1);
            return states.get(count);
        }

        private void drop(int from) {
            while (states.size() > from) {
                states.remove(states.size() - 1).close();
            }
        }

        private void refer() {
            if (references.isEmpty()) {
                int layers = model.config().numHiddenLayers();
                LayerwiseModel.State last = after(IntStream.range(0, layers).toArray(), layers);
                for (int i = 0; i * HEAD_ROWS < tokens.positions(); i++) {
                    references.add(model.reference(last, i * HEAD_ROWS, end(i)));
                    self += LayerwiseModel.self(references.get(i));
                }
            }
        }

        private int end(int slice) {
            return Math.min(tokens.positions(), (slice + 1) * HEAD_ROWS);
        }

        void close() {
            drop(0);
            references.forEach(LayerwiseModel.State::close);
            references.clear();
        }
    }
}
