// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

/**
 * A model of log-probabilities in steps of {@value #STEP} nats below zero: those of a position's most probable tokens, in
 * order, and that of the remaining mass.
 */
final class LevelModel {
    static final double STEP = 0.01;
    /** Largest level of a token; the next one means zero mass, which only the tail can have. */
    static final int MAX_LEVEL = 4094;
    static final int NO_MASS = MAX_LEVEL + 1;
    private static final double[] MASS_OF_LEVEL = new double[NO_MASS + 1];

    static {
        for (int level = 0; level <= MAX_LEVEL; level++) {
            MASS_OF_LEVEL[level] = StrictMath.exp(-level * STEP);
        }
    }

    private final NumberModel tail = new NumberModel(NO_MASS + 1);
    private final NumberModel first = new NumberModel(NO_MASS);
    /** Models of the gap to the previous rank's level, indexed by the number of bits of the rank. */
    private final NumberModel[] gaps = new NumberModel[NumberModel.bits(TargetSpec.MAX_K)];

    LevelModel() {
        for (int i = 1; i < gaps.length; i++) {
            gaps[i] = new NumberModel(NO_MASS);
        }
    }

    static int level(double mass) {
        return mass > 0 ? (int) Math.min(MAX_LEVEL, Math.max(0, Math.round(-Math.log(mass) / STEP))) : NO_MASS;
    }

    static double mass(int level) {
        return MASS_OF_LEVEL[level];
    }

    /**
     * Encodes the levels of a position.
     *
     * @param levels ascending
     */
    void encode(int tailLevel, int[] levels, int entries, SymbolTape tape) {
        tail.encode(tailLevel, tape);
        first.encode(levels[0], tape);
        for (int rank = 1; rank < entries; rank++) {
            gaps[NumberModel.bits(rank)].encode(levels[rank] - levels[rank - 1], tape);
        }
    }

    /** Decodes the levels of a position to the start of {@code levels} and returns that of the tail. */
    int decode(SymbolStack stack, int[] levels, int entries) {
        int tailLevel = tail.decode(stack);
        int level = first.decode(stack);
        levels[0] = level;
        for (int rank = 1; rank < entries; rank++) {
            level += gaps[NumberModel.bits(rank)].decode(stack);
            levels[rank] = Math.min(level, NO_MASS);
        }
        if (tailLevel > NO_MASS || level > MAX_LEVEL) {
            throw SoftLabelErrors.damaged("a position has the levels " + tailLevel + " and " + level + ", where " + MAX_LEVEL
                    + " is the largest");
        }
        return tailLevel;
    }
}
