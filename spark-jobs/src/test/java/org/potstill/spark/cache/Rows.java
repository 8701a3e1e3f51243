// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.softlabels.TargetSpec;

/** Rows as a label run writes them, without a teacher. */
final class Rows {
    static final Labels LABELS = new Labels(Sha256.of("teacher"), Sha256.of("tokenizer"), 320, TargetSpec.topK(8));

    private Rows() {
    }

    static List<LabelledSequence> of(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> one(i, 300)).toList();
    }

    static LabelledSequence one(int number, int targetBytes) {
        Random random = new Random(number);
        int[] tokens = random.ints(16, 0, 320).toArray();
        byte[] targets = new byte[targetBytes];
        random.nextBytes(targets);
        return new LabelledSequence("doc-" + number / 3, LABELS.key(tokens), tokens, targets, random.nextFloat(), random.nextFloat());
    }

    /** What a store holds, comparable: each row's bytes by key. */
    static Map<String, String> content(List<LabelledSequence> rows) {
        Map<String, String> content = new HashMap<>();
        for (LabelledSequence row : rows) {
            List<Object> all = new ArrayList<>(List.of(row.document(), row.teacherLoss(), row.teacherEntropy(),
                    new String(row.targets(), StandardCharsets.ISO_8859_1)));
            IntStream.of(row.tokens()).forEach(all::add);
            if (content.put(row.key(), all.toString()) != null) {
                throw new AssertionError("key twice: " + row.key());
            }
        }
        return content;
    }
}
