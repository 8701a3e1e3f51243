// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.HashMap;
import java.util.Map;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;

/** Difference between two soft targets of one sequence whose bytes differ, for example because they come from different machines. */
final class TargetsDifference {
    private TargetsDifference() {
    }

    /**
     * Measures the difference. For probabilities it is the largest difference of a log-probability, in nats; an id that only one
     * target lists has at most the lowest listed probability in the other. For sampled targets it is the share of differing draws,
     * averaged over positions, because a single draw says nothing about the teacher.
     */
    static double of(TargetSpec spec, SoftTargets one, SoftTargets other) {
        if (one.positions() != other.positions()) {
            return Double.POSITIVE_INFINITY;
        }
        double largest = 0;
        double sum = 0;
        for (int t = 0; t < one.positions(); t++) {
            Map<Integer, Float> p = position(one, t);
            Map<Integer, Float> q = position(other, t);
            largest = Math.max(largest, Math.max(logDifference(p, q), logDifference(q, p)));
            sum += movedMass(p, q);
        }
        return spec.hasGhost() ? largest : sum / Math.max(1, one.positions());
    }

    private static Map<Integer, Float> position(SoftTargets targets, int t) {
        Map<Integer, Float> listed = new HashMap<>();
        for (int i = targets.begin(t); i < targets.end(t); i++) {
            listed.put(targets.ids()[i], targets.probabilities()[i]);
        }
        return listed;
    }

    private static double logDifference(Map<Integer, Float> listed, Map<Integer, Float> other) {
        double least = other.values().stream().mapToDouble(Float::doubleValue).min().orElse(0);
        double largest = 0;
        for (Map.Entry<Integer, Float> entry : listed.entrySet()) {
            Float same = other.get(entry.getKey());
            double difference = Math.log(entry.getValue()) - Math.log(same == null ? least : same);
            largest = Math.max(largest, same == null ? difference : Math.abs(difference));
        }
        return largest;
    }

    private static double movedMass(Map<Integer, Float> p, Map<Integer, Float> q) {
        double moved = 0;
        for (Map.Entry<Integer, Float> entry : p.entrySet()) {
            moved += Math.max(0, entry.getValue() - q.getOrDefault(entry.getKey(), 0f));
        }
        return moved;
    }
}
