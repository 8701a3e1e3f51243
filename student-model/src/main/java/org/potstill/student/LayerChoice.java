// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

/** Choice of a checkpoint's layers to initialise a student that has fewer. */
public enum LayerChoice {
    /**
     * The first, the last, and layers between them spaced as evenly as possible. Six of twelve are 0, 2, 4, 7, 9 and 11, as in
     * DistilBERT's own extraction (Sanh et al. 2019, arXiv 1910.01108); a single one is the first.
     */
    EVENLY_SPACED {
        @Override
        public int[] layers(int of, int wanted) {
            int[] layers = new int[wanted];
            for (int i = 1; i < wanted; i++) {
                layers[i] = (int) Math.round(i * (of - 1.0) / (wanted - 1));
            }
            return layers;
        }
    },
    /** The first layers, contiguous. */
    FIRST {
        @Override
        public int[] layers(int of, int wanted) {
            int[] layers = new int[wanted];
            for (int i = 0; i < wanted; i++) {
                layers[i] = i;
            }
            return layers;
        }
    };

    /** Returns {@code wanted} zero-based layer indices below {@code of}, in ascending order. */
    public abstract int[] layers(int of, int wanted);
}
