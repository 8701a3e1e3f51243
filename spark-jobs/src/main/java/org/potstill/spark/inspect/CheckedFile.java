// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.LongAccumulator;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.spark.cache.LabelFile;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.inspect.Problem.Kind;

/**
 * A file, every row of which was checked.
 *
 * @param path     path of the file
 * @param problems problems found in it
 * @param rows     readable rows, sound or not
 */
record CheckedFile(String path, Problems problems, List<Row> rows) implements Serializable {
    /**
     * A row.
     *
     * @param key    its key
     * @param tokens number of tokens
     * @param sound  whether the row itself is free of problems
     * @param digest digest of what duplicates must share: everything except the document and the entropy, whose last bits
     *               depend on the row's neighbours in the teacher pass
     */
    record Row(String key, int tokens, boolean sound, long digest) implements Serializable {
    }

    static CheckedFile of(Labels labels, String path, Configuration hadoop, LongAccumulator tokens) {
        String name = LabelFiles.name(path);
        List<Problem> found = new ArrayList<>();
        List<Row> rows = new ArrayList<>();
        RowCheck check = new RowCheck(labels);
        try (LabelFile file = LabelFile.open(path, hadoop)) {
            footer(labels, file, name, found);
            file.forEach(LabelFile.ALL, row -> {
                Optional<Problem> problem = check.check(name, row);
                problem.ifPresent(found::add);
                rows.add(new Row(row.key(), row.tokens().length, problem.isEmpty(), digest(row)));
                tokens.add(row.tokens().length);
            });
        } catch (IOException | RuntimeException e) {
            found.add(new Problem(Kind.UNREADABLE_FILE, name, "", LabelFiles.why(e) + (rows.isEmpty() ? "" : "; after " + rows.size() + " rows")));
        }
        return new CheckedFile(path, found.stream().map(Problems::of).reduce(Problems.NONE, Problems::plus), rows);
    }

    private static void footer(Labels labels, LabelFile file, String name, List<Problem> found) {
        Map<String, String> expected = Map.of("potstill.teacher", labels.teacher(), "potstill.tokenizer", labels.tokenizer(),
                "potstill.spec", labels.spec().name());
        expected.forEach((key, value) -> {
            if (!value.equals(file.said(key))) {
                found.add(new Problem(Kind.FOREIGN_FILE, name, "", key + " is " + file.said(key) + ", provenance.json says " + value));
            }
        });
        String format = String.valueOf(file.said("potstill.format"));
        if (!format.matches("[0-9]{1,4}") || Integer.parseInt(format) < 1 || Integer.parseInt(format) > SoftTargetsCodec.VERSION) {
            found.add(new Problem(Kind.FOREIGN_FILE, name, "",
                    "potstill.format is " + format + ", this Potstill reads up to " + SoftTargetsCodec.VERSION));
        }
    }

    private static long digest(LabelledSequence row) {
        CRC32C targets = new CRC32C();
        targets.update(row.targets());
        ByteBuffer rest = ByteBuffer.allocate(4 * row.tokens().length + 4);
        rest.asIntBuffer().put(row.tokens()).put(Float.floatToIntBits(row.teacherLoss()));
        CRC32C others = new CRC32C();
        others.update(rest);
        return targets.getValue() << 32 | others.getValue();
    }
}
