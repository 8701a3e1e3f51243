// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;

class TokenizationTest {
    @Test
    void everyTokenButTheFirstIsPredictedExactlyOnce() {
        for (int length = 0; length < 40; length++) {
            int[] ids = IntStream.range(0, length).map(i -> 100 + i).toArray();
            List<Integer> predicted = new ArrayList<>();
            for (int[] sequence : new Tokenization(8, 0, 0, false, Tokenization.Ends.AUTO, LocalDate.EPOCH).cut(ids)) {
                assertTrue(sequence.length >= 2 && sequence.length <= 9);
                for (int t = 1; t < sequence.length; t++) {
                    predicted.add(sequence[t]);
                }
            }
            assertEquals(IntStream.range(1, length).mapToObj(i -> 100 + i).toList(), predicted);
        }
    }

    @Test
    void documentsBeginAndEndWithTheirTokensOnce() {
        TokenizerDefinition definition = new TokenizerDefinition("{}", 1, 2, List.of(1), List.of(2), "", List.of());
        for (int[] text : new int[][] {{5, 6, 7}, {1, 5, 6, 7}, {5, 6, 7, 2}, {1, 5, 6, 7, 2}}) {
            assertArrayEquals(new int[] {1, 5, 6, 7, 2}, definition.document(text));
        }
        assertArrayEquals(new int[] {1, 5, 6, 7}, definition.beginning(new int[] {5, 6, 7}));
        assertArrayEquals(new int[] {1, 5}, definition.beginning(new int[] {1, 5}));
        List<int[]> sequences = new Tokenization(2, 0, 0, false, Tokenization.Ends.AUTO, LocalDate.EPOCH).cut(definition.document(new int[] {5, 6}));
        assertEquals(2, sequences.size());
        assertArrayEquals(new int[] {1, 5, 6}, sequences.get(0));
        assertArrayEquals(new int[] {6, 2}, sequences.get(1));
    }

    private static List<Integer> tokens(Tokenization tokenization, TokenizerDefinition definition, String text) {
        JavaRDD<Document> documents = new JavaSparkContext(Distillery.spark().sparkContext()).parallelize(List.of(Document.of("a", text)));
        TokenizedDocument document = tokenization.apply(documents, definition, 320).first();
        return document.sequences().isEmpty() ? List.of() : IntStream.of(document.sequences().get(0)).boxed().toList();
    }

    @Test
    void theSettingSaysWhetherDocumentsEndAndATextThatSpellsItOutEndsOnce(@TempDir Path folder) {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 1);
        TokenizerDefinition plain;
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            plain = checkpoint.tokenizer();
        }
        TokenizerDefinition ending = plain.withBegin(List.of(0)).withEnd(List.of(0));
        List<Integer> the = tokens(new Tokenization(8, 0, 0, true, Tokenization.Ends.AUTO, LocalDate.EPOCH), plain, " the and");
        List<Integer> ended = List.of(the.get(0), the.get(1), 0);
        assertEquals(2, the.size());
        for (String text : List.of(" the and", " the and<|endoftext|>")) {
            assertEquals(ended, tokens(new Tokenization(8, 0, 0, true, Tokenization.Ends.ALWAYS, LocalDate.EPOCH), plain, text));
        }
        for (String text : List.of(" the and", "<|endoftext|> the and", "<|endoftext|> the and<|endoftext|>")) {
            assertEquals(List.of(0, the.get(0), the.get(1), 0), tokens(new Tokenization(8, 0, 0, true, Tokenization.Ends.AUTO, LocalDate.EPOCH), ending, text));
        }
        assertEquals(List.of(0, the.get(0), the.get(1)), tokens(new Tokenization(8, 0, 0, true, Tokenization.Ends.NEVER, LocalDate.EPOCH), ending, " the and"));
        assertEquals(List.of(), tokens(new Tokenization(8, 0, 0, true, Tokenization.Ends.ALWAYS, LocalDate.EPOCH), ending, ""));
        TokenizerDefinition endless = new TokenizerDefinition(plain.json(), -1, -1, false);
        assertTrue(assertThrows(UserException.class, () -> tokens(new Tokenization(8, 0, 0, true, Tokenization.Ends.ALWAYS, LocalDate.EPOCH), endless, "a"))
                .problem().contains("corpus.end-documents"));
    }

    @Test
    void aTokenThatTheModelHasNoRowForIsNamed() {
        TokenizerDefinition definition = new TokenizerDefinition("{\"added_tokens\":[{\"id\":7,\"content\":\"<tool>\",\"single_word\":false,"
                + "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":false}],\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"<tool>\":7},"
                + "\"merges\":[]}}", -1, -1, false);
        JavaRDD<Document> documents = new JavaSparkContext(Distillery.spark().sparkContext())
                .parallelize(List.of(Document.of("a", "aa"), Document.of("b", "a<tool>")));
        List<TokenizedDocument> tokenized = new Tokenization(8, 0, 0, false, Tokenization.Ends.AUTO, LocalDate.EPOCH).apply(documents, definition, 7).collect();
        assertEquals(1, tokenized.get(0).sequences().size());
        assertTrue(tokenized.get(1).problem().contains("<tool>"), tokenized.get(1).problem());
    }

    @Test
    void theHeldOutShareIsDrawnByContentAndSeed() {
        Tokenization tokenization = new Tokenization(8, 0.2, 1, false, Tokenization.Ends.AUTO, LocalDate.EPOCH);
        List<Boolean> draws = IntStream.range(0, 5000).mapToObj(i -> tokenization.heldOut("document " + i)).toList();
        double share = draws.stream().filter(d -> d).count() / 5000.0;
        assertEquals(0.2, share, 0.02);
        assertEquals(draws, IntStream.range(0, 5000).mapToObj(i -> tokenization.heldOut("document " + i)).toList());
        Tokenization other = new Tokenization(8, 0.2, 2, false, Tokenization.Ends.AUTO, LocalDate.EPOCH);
        assertTrue(!draws.equals(IntStream.range(0, 5000).mapToObj(i -> other.heldOut("document " + i)).toList()));
        assertTrue(IntStream.range(0, 100).noneMatch(i -> new Tokenization(8, 0, 1, false, Tokenization.Ends.AUTO, LocalDate.EPOCH).heldOut("document " + i)));
    }
}
