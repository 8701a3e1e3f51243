// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/** A sequence and targets for it: some ids come again and again, the next token is mostly among them, all others are anything. */
record RandomTargets(TargetSpec spec, int vocabSize, int[] tokens, SoftTargets targets) {
    static RandomTargets of(Random random, TargetSpec spec, int vocabSize, int positions) {
        int[] common = random.ints(1 + random.nextInt(60), 0, vocabSize).toArray();
        int[] tokens = new int[positions + 1];
        Arrays.setAll(tokens, t -> id(random, common, vocabSize));
        int[] offsets = new int[positions + 1];
        int[] ids = new int[positions * (spec.k() + spec.draws())];
        float[] probabilities = new float[ids.length];
        int size = 0;
        for (int t = 0; t < positions; t++) {
            for (Map.Entry<Integer, Float> entry : position(random, spec, vocabSize, common, tokens[t + 1]).entrySet()) {
                ids[size] = entry.getKey();
                probabilities[size++] = entry.getValue();
            }
            offsets[t + 1] = size;
        }
        return new RandomTargets(spec, vocabSize, tokens,
                new SoftTargets(offsets, Arrays.copyOf(ids, size), Arrays.copyOf(probabilities, size)));
    }

    /** Of any kind, size and vocabulary. */
    static RandomTargets any(Random random) {
        int vocabSize = 1 + random.nextInt(1 << 1 + random.nextInt(18));
        int entries = 1 + random.nextInt(random.nextInt(20) == 0 ? 1024 : 60);
        TargetSpec spec = switch (random.nextInt(3)) {
            case 0 -> TargetSpec.topK(entries);
            case 1 -> TargetSpec.systematic(entries, 1);
            default -> TargetSpec.topKAndSystematic(entries, 1 + random.nextInt(60), 1);
        };
        return of(random, spec, vocabSize, random.nextInt(30));
    }

    private static Map<Integer, Float> position(Random random, TargetSpec spec, int vocabSize, int[] common, int next) {
        Map<Integer, Float> position = new LinkedHashMap<>();
        int head = Math.min(spec.k(), vocabSize);
        Set<Integer> listed = new LinkedHashSet<>();
        while (listed.size() < head) {
            int tries = listed.size();
            listed.add(tries == head / 2 && random.nextInt(4) > 0 ? next : id(random, common, vocabSize));
            listed.add(random.nextInt(vocabSize));
            while (listed.size() > head) {
                listed.remove(listed.iterator().next());
            }
        }
        double[] mass = random.doubles(head).map(u -> Math.exp(-20 * u)).sorted().toArray();
        boolean tailIsEmpty = head > 0 && (head == vocabSize || random.nextInt(4) == 0);
        double total = Arrays.stream(mass).sum() * (tailIsEmpty ? 1 : 1 + random.nextDouble());
        double kept = 0;
        int rank = head;
        for (int id : listed) {
            float p = (float) (mass[--rank] / total);
            position.put(id, p);
            kept += p;
        }
        if (spec.hasGhost() || tailIsEmpty) {
            return position;
        }
        double tail = head == 0 ? 1 : 1 - kept;
        Map<Integer, Integer> counts = new TreeMap<>();
        for (int draw = 0; draw < spec.draws(); draw++) {
            int id = random.nextInt(3) == 0 ? next : id(random, common, vocabSize);
            while (listed.contains(id)) {
                id = (id + 1) % vocabSize;
            }
            counts.merge(id, 1, Integer::sum);
        }
        counts.forEach((id, count) -> position.put(id, (float) (count * tail / spec.draws())));
        return position;
    }

    private static int id(Random random, int[] common, int vocabSize) {
        return random.nextBoolean() ? common[random.nextInt(common.length)] : random.nextInt(vocabSize);
    }
}
