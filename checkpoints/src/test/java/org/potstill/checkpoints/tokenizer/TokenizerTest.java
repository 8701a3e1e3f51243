// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.gguf.GgufWriter;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;

final class TokenizerTest {
    @TempDir
    Path folder;

    private Tokenizer tokenizer;

    @BeforeEach
    void open() {
        tokenizer = new Tokenizer(definition(TinyLlama.gguf(1, TinyLlama.config())));
    }

    @AfterEach
    void close() {
        tokenizer.close();
    }

    private TokenizerDefinition definition(GgufWriter gguf) {
        Path file = folder.resolve("tiny.gguf");
        gguf.write(file);
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            return checkpoint.tokenizer();
        }
    }

    @Test
    void anyTextComesBack() {
        for (String text : List.of("", " ", "the and\n\n  tab\t.", "1790, 42", "naïve — 日本語 🙂 \u0000 \u00a0",
                "ends in space ", "'s 'll don't")) {
            assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
        }
    }

    @Test
    void mergesApplyAndDigitsStandAlone() {
        assertEquals(2, tokenizer.encode(" the and").length);
        assertEquals(4, tokenizer.encode("1790").length);
    }

    @Test
    void controlTokensSpelledOutInATextStayText() {
        int[] ids = tokenizer.encode("a<|endoftext|>b");
        assertTrue(Arrays.stream(ids).noneMatch(id -> id == TinyLlama.END_OF_TEXT), Arrays.toString(ids));
        assertEquals("a<|endoftext|>b", tokenizer.decode(ids));
        assertEquals("<|endoftext|>", tokenizer.decode(new int[] {TinyLlama.END_OF_TEXT}));
    }

    @Test
    void controlTokensAreOutOfReachOfMergesToo() {
        GgufWriter gguf = TinyLlama.gguf(1, TinyLlama.config());
        int the = tokenizer.encode(" the")[0];
        int[] types = new int[257 + 41];
        Arrays.fill(types, 1);
        types[0] = 3;
        types[the] = 3;
        try (Tokenizer mean = new Tokenizer(definition(gguf.put("tokenizer.ggml.token_type", types)))) {
            int[] ids = mean.encode(" the");
            assertTrue(Arrays.stream(ids).noneMatch(id -> id == the), Arrays.toString(ids));
            assertEquals(" the", mean.decode(ids));
        }
    }

    @Test
    void librariesThatGoByTheFileAddTheFirstTokenWhereTheModelWantsIt() {
        TokenizerDefinition without = definition(TinyLlama.gguf(1, TinyLlama.config()));
        assertEquals(without.json(), without.huggingFaceJson());
        TokenizerDefinition with = new TokenizerDefinition(without.json(), 0, 0, true);
        String processed = without.json().replace("\"post_processor\":null", "\"post_processor\":{\"type\":\"ByteLevel\","
                + "\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}");
        for (TokenizerDefinition each : List.of(with, new TokenizerDefinition(processed, 0, 0, true))) {
            long library = TokenizersLibrary.LIB.createTokenizerFromString(each.huggingFaceJson());
            long encoding = TokenizersLibrary.LIB.encode(library, " the and", true);
            long[] ids = TokenizersLibrary.LIB.getTokenIds(encoding);
            assertEquals(0, ids[0]);
            assertArrayEquals(tokenizer.encode(" the and"), Arrays.stream(ids).skip(1).mapToInt(Math::toIntExact).toArray());
            TokenizersLibrary.LIB.deleteEncoding(encoding);
            TokenizersLibrary.LIB.deleteTokenizer(library);
            TokenizerDefinition again = new TokenizerDefinition(each.huggingFaceJson(), 0, 0, true);
            assertEquals(again.json(), again.huggingFaceJson());
        }
    }

    @Test
    void vocabulariesDifferWhereATokenHasAnotherId() {
        TokenizerDefinition tiny = definition(TinyLlama.gguf(1, TinyLlama.config()));
        assertEquals(Optional.empty(), tiny.differenceFrom(new TokenizerDefinition(tiny.json().replace(",\"version\"", ", \"version\""), 1, 2, true)));
        TokenizerDefinition other = new TokenizerDefinition(tiny.json().replaceFirst("\"A\":\\d+", "\"A\":299"), 0, 0, false);
        assertTrue(tiny.differenceFrom(other).orElseThrow().endsWith("and 299 there"), tiny.differenceFrom(other).toString());
    }

    @Test
    void entriesThatOnlyPadAVocabularyAreNoTokens() {
        TokenizerDefinition definition = new TokenizerDefinition("{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],"
                + "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"<s>\":3,\"[PAD4]\":4,\"[PAD5]\":5},\"merges\":[\"a b\"]}}",
                -1, 3, false);
        assertEquals(Optional.empty(), definition.tokenBetween(4, 6));
        assertEquals("\"<s>\" is 3", definition.tokenBetween(3, 6).orElseThrow());
        assertEquals(definition, definition.below(6));
        TokenizerDefinition shorter = definition.below(5);
        assertTrue(shorter.json().contains("[PAD4]") && !shorter.json().contains("[PAD5]"), shorter.json());
        assertEquals(Optional.empty(), definition.differenceFrom(shorter));
        TokenizerDefinition more = new TokenizerDefinition(definition.json(), 3, 3, List.of(3), List.of(3), "{{ messages }}", List.of(1, 3));
        assertEquals(new TokenizerDefinition(shorter.json(), 3, 3, List.of(3), List.of(3), "{{ messages }}", List.of(1, 3)), more.below(5));
        // A token of that name in its place is one that a text can hold.
        TokenizerDefinition named = new TokenizerDefinition(definition.json().replace("<s>", "[PAD3]"), -1, 3, false);
        assertEquals("\"[PAD3]\" is 3", named.tokenBetween(3, 6).orElseThrow());
    }

    @Test
    void halfASurrogatePairBecomesTheReplacementCharacter() {
        assertEquals("a\ufffdb\ufffd", tokenizer.decode(tokenizer.encode("a\ud83db\ude42")));
    }

    @Test
    void aMegabyteOfTextComesBackWhole() {
        Random random = new Random(3);
        StringBuilder text = new StringBuilder();
        while (text.length() < 1_000_000) {
            text.append(random.nextInt(8) == 0 ? "\n" : " ").append("the nation and 42 others".substring(random.nextInt(20)));
        }
        assertEquals(text.toString(), tokenizer.decode(tokenizer.encode(text.toString())));
        String one = "x".repeat(1_000_000);
        assertEquals(one, tokenizer.decode(tokenizer.encode(one)));
    }

    @Test
    void threadsGetTheSameIds() {
        String text = "the state of the union ".repeat(50);
        int[] expected = tokenizer.encode(text);
        IntStream.range(0, 64).parallel().forEach(i -> assertArrayEquals(expected, tokenizer.encode(text)));
    }

    @Test
    void anUnknownKindIsRefusedByName() {
        for (String[] flaw : new String[][] {{"tokenizer.ggml.pre", "unheard-of"}, {"tokenizer.ggml.model", "t5"}}) {
            UserException e = assertThrows(UserException.class,
                    () -> definition(TinyLlama.gguf(1, TinyLlama.config()).put(flaw[0], flaw[1])));
            assertTrue(e.cause().contains(flaw[1]), e.cause());
        }
        assertThrows(UserException.class,
                () -> definition(TinyLlama.gguf(1, TinyLlama.config()).remove("tokenizer.ggml.merges")));
        assertThrows(UserException.class,
                () -> definition(TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.ggml.bos_token_id", 5000)));
        assertThrows(UserException.class, () -> new Tokenizer(new TokenizerDefinition("{}", -1, -1, false)));
        assertThrows(UserException.class, () -> new Tokenizer(new TokenizerDefinition("not json", -1, -1, false)));
    }

    @Test
    void whereNothingSaysHowTextIsCutTheRemedyDoes() {
        UserException e = assertThrows(UserException.class, () -> definition(TinyLlama.gguf(1, TinyLlama.config()).remove("tokenizer.ggml.pre")));
        assertTrue(e.cause().contains("tokenizer.ggml.pre") && e.remedy().contains("gguf-new-metadata --pre-tokenizer"), e.toString());
    }

    @Test
    void aTokenThatIsThereTwiceIsTheOneThatIsInUse() {
        String[] tokens = TinyLlama.tokens();
        int the = tokenizer.encode(" the")[0];
        int last = tokens.length;
        for (int type : new int[] {1, 3, 4, 5}) {
            String[] more = Arrays.copyOf(tokens, last + 3);
            more[last] = tokens[the];
            more[last + 1] = "";
            more[last + 2] = "";
            int[] types = new int[more.length];
            Arrays.fill(types, 1);
            types[0] = 3;
            types[last] = type;
            GgufWriter gguf = TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.ggml.tokens", more).put("tokenizer.ggml.token_type", types);
            try (Tokenizer twice = new Tokenizer(definition(gguf))) {
                int found = twice.encode(" the", true)[0];
                // One in use, be it a special one, is taken for an entry that is not.
                assertEquals(type == 5 ? the : type == 1 ? last : found, found);
                assertEquals("the 1790", twice.decode(twice.encode("the 1790")));
            }
        }
    }

    @Test
    void ofTwoEndsOfDocumentsTheOneThatTheMetadataNameIsMeant() {
        String[] tokens = TinyLlama.tokens();
        String[] more = Arrays.copyOf(tokens, tokens.length + 1);
        more[tokens.length] = tokens[0];
        int[] types = new int[more.length];
        Arrays.fill(types, 1);
        types[0] = 3;
        types[tokens.length] = 3;
        GgufWriter gguf = TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.ggml.tokens", more).put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.add_eos_token", true);
        TokenizerDefinition definition = definition(gguf);
        try (Tokenizer twice = new Tokenizer(definition)) {
            assertArrayEquals(new int[] {0}, twice.encode("<|endoftext|>", true));
            assertEquals(List.of(0), definition.end());
        }
    }

    @Test
    void everyKnownKindLoads() {
        for (String pre : List.of("smollm", "gpt-2", "llama-bpe", "qwen2")) {
            TokenizerDefinition definition = definition(TinyLlama.gguf(1, TinyLlama.config())
                    .put("tokenizer.ggml.pre", pre));
            try (Tokenizer other = new Tokenizer(definition)) {
                assertEquals("the 1790 don't", other.decode(other.encode("the 1790 don't")), pre);
            }
        }
    }

    @Test
    void aClosedTokenizerRefuses() {
        tokenizer.close();
        assertThrows(IllegalStateException.class, () -> tokenizer.encode("a"));
    }
}
