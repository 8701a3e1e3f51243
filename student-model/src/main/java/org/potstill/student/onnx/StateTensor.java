// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.decoder.Weights;

/**
 * A tensor of the training graph's state: the same matrix of all layers, {@code [layers, rows, columns]}, so that the optimizer
 * needs few operations. Its layers are at equal distances in the flat vector of {@link Weights}.
 *
 * @param name     of the parameters
 * @param first    index of the first layer's first value in the flat vector
 * @param distance between layers
 */
record StateTensor(String name, int layers, int rows, int columns, long first, long distance) {
    static final String EMBEDDING = "embedding";
    static final String NORM = "norm";
    static final String HEAD = "head";

    /** Returns the tensors of a model: the embedding, one per matrix of a layer, the final norm and the head, if it has one of its own. */
    static List<StateTensor> of(CausalLmConfig config) {
        Weights<Weights.Place> places = Weights.places(config);
        List<StateTensor> tensors = new ArrayList<>();
        tensors.add(single(EMBEDDING, places.embedTokens()));
        List<Weights.Place> firstLayer = places.blocks().get(0).all();
        for (int i = 0; i < firstLayer.size(); i++) {
            Weights.Place first = firstLayer.get(i);
            if (first != null) {
                int layers = places.blocks().size();
                long distance = layers == 1 ? 0 : places.blocks().get(1).all().get(i).offset() - first.offset();
                tensors.add(new StateTensor(ofLayers(i), layers, first.rows(), first.columns(), first.offset(), distance));
            }
        }
        tensors.add(single(NORM, places.norm()));
        if (!Objects.equals(places.head(), places.embedTokens())) {
            tensors.add(single(HEAD, places.head()));
        }
        return tensors;
    }

    private static StateTensor single(String name, Weights.Place place) {
        return new StateTensor(name, 1, place.rows(), place.columns(), place.offset(), 0);
    }

    /** Returns the name of the tensor with all layers' matrices at this place in {@link Weights.Block#all}. */
    static String ofLayers(int place) {
        return "layers." + place;
    }

    /** Reverses {@link #ofLayers}. */
    int place() {
        return Integer.parseInt(name.substring(name.indexOf('.') + 1));
    }

    long[] shape() {
        return new long[] {layers, rows, columns};
    }

    String[] dimensions() {
        return new String[] {Integer.toString(layers), Integer.toString(rows), Integer.toString(columns)};
    }

    /** Returns the number of values in one layer. */
    int perLayer() {
        return Math.multiplyExact(rows, columns);
    }

    /** Returns whether weight decay applies: to matrices, not to norms and biases. */
    boolean decays() {
        return rows > 1;
    }
}
