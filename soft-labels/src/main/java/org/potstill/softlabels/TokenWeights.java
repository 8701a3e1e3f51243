package org.potstill.softlabels;

/** A weight for each token, of which some are taken out for a while, and the sums below any token (a Fenwick tree). */
final class TokenWeights {
    private final int[] weights;
    /** {@code sums[i]} is of the ids {@code [i − lowest bit of i, i)} that are not taken out. */
    private final int[] sums;
    private final int highest;
    private int total;

    TokenWeights(TokenPrior prior) {
        int vocabSize = prior.vocabSize();
        weights = prior.weights().clone();
        sums = prior.sums().clone();
        highest = Integer.highestOneBit(vocabSize);
        total = prior.total();
    }

    /** Of the tokens that are not taken out. */
    int total() {
        return total;
    }

    int weight(int id) {
        return weights[id];
    }

    /** Of the tokens below {@code id} that are not taken out. */
    int below(int id) {
        int sum = 0;
        for (int i = id; i > 0; i &= i - 1) {
            sum += sums[i];
        }
        return sum;
    }

    /** The token with {@code below(id) <= target < below(id) + weight(id)} that is not taken out; target below the total. */
    int find(int target) {
        int id = 0;
        int rest = target;
        for (int step = highest; step > 0; step >>= 1) {
            int next = id + step;
            if (next < sums.length && sums[next] <= rest) {
                id = next;
                rest -= sums[next];
            }
        }
        return id;
    }

    void takeOut(int id) {
        sum(id, -weights[id]);
    }

    void putBack(int id) {
        sum(id, weights[id]);
    }

    /** Changes the weight of a token that is not taken out. */
    void add(int id, int change) {
        weights[id] += change;
        sum(id, change);
    }

    private void sum(int id, int change) {
        total += change;
        for (int i = id + 1; i < sums.length; i += i & -i) {
            sums[i] += change;
        }
    }
}
