package org.potstill.student;

/** Which layers of a checkpoint a student with fewer of them begins as. */
public enum LayerChoice {
    /**
     * The first, the last, and between them as evenly as whole numbers allow. Six of twelve are 0, 2, 4, 7, 9 and 11, as in
     * DistilBERT's own extraction (Sanh et al. 2019, arXiv 1910.01108); one is the first.
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
    /** The first ones, in a row. */
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

    /** @return {@code wanted} layer numbers below {@code of}, ascending */
    public abstract int[] layers(int of, int wanted);
}
