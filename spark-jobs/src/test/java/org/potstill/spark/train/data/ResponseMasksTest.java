// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.tokenizer.TokenBytes;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.corpus.LearnFrom;
import org.potstill.spark.corpus.Responses;
import scala.Tuple2;

class ResponseMasksTest {
    private static final String LETTERS = "abcdxyzAQ:.";
    private static final Responses RESPONSES = new Responses(LearnFrom.EVERYTHING, List.of(bytes("A:")), List.of(bytes(".")), 1);

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static TokenBytes letters() {
        List<String> vocabulary = new ArrayList<>();
        for (int i = 0; i < LETTERS.length(); i++) {
            vocabulary.add("\"" + LETTERS.charAt(i) + "\":" + i);
        }
        return TokenBytes.of(new TokenizerDefinition("{\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{"
                + String.join(",", vocabulary) + "},\"merges\":[]}}", -1, -1, false));
    }

    private static Tuple2<SnapshotEntry, int[]> row(String document, int sequence, String tokens) {
        return new Tuple2<>(new SnapshotEntry(document, sequence, tokens, null), tokens.chars().map(LETTERS::indexOf).toArray());
    }

    /** The predicted tokens that are learnt from, place by place. */
    @SafeVarargs
    private static List<String> learnt(Tuple2<SnapshotEntry, int[]>... rows) {
        List<Tuple2<SnapshotEntry, int[]>> all = new ArrayList<>();
        for (Tuple2<SnapshotEntry, int[]> row : rows) {
            all.add(row);
        }
        List<String> learnt = new ArrayList<>();
        new ResponseMasks(all.iterator(), RESPONSES, letters()).forEachRemaining(place -> {
            StringBuilder tokens = new StringBuilder();
            for (int t = 0; t < place.counted().length; t++) {
                tokens.append(place.counted()[t] ? place.place().key().charAt(t + 1) : '-');
            }
            learnt.add(tokens + (place.isMarked() ? "" : " unmarked") + (place.begins() ? " begins" : ""));
        });
        return learnt;
    }

    @Test
    void aResponseGoesOnInTheNextSequencesOfItsDocument() {
        assertEquals(List.of("--xyz begins", "xyzxy", "z.---"), learnt(row("1", 0, "QA:xyz"), row("1", 1, "zxyzxy"), row("1", 2, "yz.abc")));
    }

    @Test
    void aMarkerMayLieAcrossTheCut() {
        assertEquals(List.of("---- begins", "-xy.-"), learnt(row("1", 0, "QabcA"), row("1", 1, "A:xy.a")));
        assertEquals(List.of("-xyz begins", ".--"), learnt(row("2", 0, "A:xyz"), row("2", 1, "z.ab")));
    }

    @Test
    void documentsDoNotRunIntoEachOther() {
        assertEquals(List.of("-xyz begins", "--- unmarked begins"), learnt(row("1", 0, "A:xyz"), row("2", 0, "zxyz")));
    }

    @Test
    void whatFollowsAMissingSequenceIsLearntFromItsNextResponseOn() {
        assertEquals(List.of("-xyz begins", "---y."), learnt(row("1", 0, "A:xyz"), row("1", 2, "zxA:y.")));
    }

    @Test
    void copiesOfADocumentAreLearntAlike() {
        assertEquals(List.of("-xyz begins", "-xyz", "xy.-", "xy.-"),
                learnt(row("1", 0, "A:xyz"), row("1", 0, "A:xyz"), row("1", 1, "zxy.a"), row("1", 1, "zxy.a")));
    }

    @Test
    void ofDocumentsWithOneIdEachSequenceStandsAlone() {
        assertEquals(List.of("-xyz begins", "-y.-", "----", "-a.-"),
                learnt(row("1", 0, "A:xyz"), row("1", 0, "A:y.a"), row("1", 1, "zxyzx"), row("1", 1, "A:a.b")));
    }

    @Test
    void theSameSequenceIsAPromptInOneDocumentAndAResponseInAnother() {
        assertEquals(List.of("-ab begins", "cd.", "--- unmarked begins", "--- unmarked"),
                learnt(row("1", 0, "A:ab"), row("1", 1, "bcd."), row("2", 0, "QQab"), row("2", 1, "bcd.")));
    }
}
