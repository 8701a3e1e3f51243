// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;

final class GgufCheckpointTest {
    private static final CausalLmConfig UNTIED =
            new CausalLmConfig(320, 32, 64, 1, 4, 2, 8, 64, 1e-5f, 10_000f, false);

    @TempDir
    Path folder;

    @Test
    void theConfigurationIsReadBack() {
        for (CausalLmConfig config : new CausalLmConfig[] {TinyLlama.config(), UNTIED}) {
            Path file = folder.resolve("tiny.gguf");
            TinyLlama.write(file, 1, config);
            try (Checkpoint checkpoint = Checkpoints.open(file)) {
                assertEquals(config, checkpoint.config());
                assertEquals(LlamaTensors.shapes(config).keySet(), checkpoint.tensors().keySet());
                assertEquals(64, checkpoint.fingerprint().length());
            }
        }
    }

    @Test
    void queryRowsComeInHalfSplitOrder() {
        float[] rows = new float[32 * 32];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = Math.floorDiv(i, 32);
        }
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.gguf(1, UNTIED).tensor("blk.0.attn_q.weight", new long[] {32, 32}, rows).write(file);
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            FloatBuffer read = FloatBuffer.allocate(32 * 32);
            checkpoint.read("model.layers.0.self_attn.q_proj.weight", read);
            int[] firstOfRows = new int[16];
            for (int i = 0; i < 16; i++) {
                firstOfRows[i] = (int) read.get(i * 32);
            }
            assertArrayEquals(new int[] {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15}, firstOfRows);
        }
    }

    @Test
    void someRowsAreThoseOfTheWhole() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 1, UNTIED);
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            for (String name : new String[] {LlamaTensors.HEAD, LlamaTensors.layer(0, "self_attn.k_proj")}) {
                FloatBuffer all = FloatBuffer.allocate(320 * 32);
                checkpoint.read(name, all);
                FloatBuffer some = FloatBuffer.allocate(2 * 32);
                checkpoint.readRows(name, 5, 2, some);
                assertArrayEquals(Arrays.copyOfRange(all.array(), 160, 224), some.array());
            }
        }
    }

    /** As in llama.cpp, which takes vocab_size only from files without a tokenizer. */
    @Test
    void theRowsOfTheTableCountWhateverVocabSizeSays() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.gguf(1, UNTIED).put("llama.vocab_size", 402).write(file);
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            assertEquals(UNTIED, checkpoint.config());
        }
    }

    @Test
    void aTruncatedFileIsRefusedWhereverItIsCut() throws IOException {
        byte[] whole = TinyLlama.gguf(1, UNTIED).bytes();
        Path cut = folder.resolve("cut.gguf");
        for (int length = 0; length < whole.length; length += length < 200 ? 1 : 97) {
            Files.write(cut, Arrays.copyOf(whole, length));
            assertThrows(UserException.class, () -> Checkpoints.open(cut), "cut at " + length);
        }
    }

    @Test
    void aTruncatedFileIsRefusedBeforeAnythingIsAllocated() throws IOException {
        byte[] whole = TinyLlama.gguf(1, UNTIED).bytes();
        Path file = folder.resolve("lies.gguf");
        // Tensor count, pair count, and the first key's length, each claiming far more than the file has.
        for (int at : new int[] {8, 16, 24}) {
            for (long lie : new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 31, 1L << 40, 1 << 17}) {
                byte[] liar = whole.clone();
                ByteBuffer.wrap(liar).order(ByteOrder.LITTLE_ENDIAN).putLong(at, lie);
                Files.write(file, liar);
                assertThrows(UserException.class, () -> Checkpoints.open(file), at + " says " + lie);
            }
        }
    }

    @Test
    void aFactorWithoutATypeIsLinearAsInLlamaCpp() {
        Path file = folder.resolve("linear.gguf");
        TinyLlama.gguf(1, UNTIED).put("llama.rope.scaling.factor", 4f).write(file);
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            assertEquals(Collections.nCopies(UNTIED.headDim() / 2, 4f), checkpoint.config().variant().ropeDivisors());
        }
        TinyLlama.gguf(1, UNTIED).put("llama.rope.scaling.factor", 4f).put("llama.rope.scaling.type", "none").write(file);
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            assertEquals(UNTIED, checkpoint.config());
        }
    }

    @Test
    void eachFlawHasItsOwnWords() {
        refused(g -> g.put("general.architecture", "mamba"), "mamba");
        refused(g -> g.remove("general.architecture"), "general.architecture");
        refused(g -> g.remove("llama.block_count"), "llama.block_count");
        refused(g -> g.remove("llama.attention.layer_norm_rms_epsilon"), "layer_norm_rms_epsilon");
        refused(g -> g.put("llama.attention.head_count_kv", 3), "num_key_value_heads");
        refused(g -> g.put("llama.attention.head_count", 0), "head_count");
        refused(g -> g.put("llama.block_count", 1 << 20), "num_hidden_layers");
        refused(g -> g.put("llama.block_count", 1000), "too few");
        refused(g -> g.put("llama.block_count", "one"), "llama.block_count");
        refused(g -> g.put("llama.rope.scaling.type", "ntk"), "ntk");
        refused(g -> g.put("llama.rope.scaling.factor", 4f).tensor("rope_freqs.weight", new long[] {4}, new float[] {1, 1, 1, 1}),
                "llama.rope.scaling.factor");
        refused(g -> g.put("llama.embedding_scale", 2f), "llama.embedding_scale");
        refused(g -> g.put("llama.final_logit_softcapping", 30f), "llama.final_logit_softcapping");
        refused(g -> g.put("llama.rope.dimension_count", 4), "llama.rope.dimension_count");
        refused(g -> g.put("llama.expert_count", 8), "llama.expert_used_count");
        refused(g -> g.put("general.alignment", 33), "general.alignment");
        refused(g -> g.put("llama.attention.sliding_window", 8).put("llama.attention.sliding_window_pattern", 4),
                "sliding window");
        refused(g -> g.tensor("rope_freqs.weight", new long[] {4}, new float[4]), "divided by 0.0");
        refused(g -> g.tensor("rope_freqs.weight", new long[] {5}, new float[5]), "wrong shape");
        refused(g -> g.tensor("rope_factors_long.weight", new long[] {4}, new float[4]), "rope_factors_long.weight");
        refused(g -> g.tensor("blk.0.attn_q.bias", new long[] {32}, new float[32]), "blk.0.attn_k.bias");
        refused(g -> g.tensor("blk.0.attn_k.bias", new long[] {16}, new float[16]), "blk.0.attn_k.bias");
        refused(g -> g.tensor("blk.0.attn_q_norm.weight", new long[] {8}, new float[8]), "blk.0.attn_q_norm.weight");
        refused(g -> g.tensor("blk.1.ffn_up.weight", new long[] {64, 32}, new float[2048]), "blk.1.ffn_up.weight");
        refused(g -> g.removeTensor("blk.0.ffn_up.weight"), "missing");
        refused(g -> g.tensor("blk.0.ffn_up.weight", new long[] {1, 1L << 62}, new float[1]), "beyond all bounds");
        refused(g -> g.tensor("blk.0.ffn_up.weight", new long[] {32, 64}, new float[2048]), "wrong shape");
    }

    @Test
    void foreignFilesAreNamedForWhatTheyAre() throws IOException {
        byte[] whole = TinyLlama.gguf(1, UNTIED).bytes();
        Path file = folder.resolve("foreign");
        Files.writeString(file, "of no format");
        assertTrue(refusal(file).contains("not a GGUF"));
        whole[4] = 1;
        Files.write(file, whole);
        assertTrue(refusal(file).contains("version 1"));
        whole[4] = 0;
        whole[7] = 3;
        Files.write(file, whole);
        assertTrue(refusal(file).contains("big-endian"));
        assertTrue(refusal(folder.resolve("absent")).contains("absent"));
    }

    @Test
    void anUnsupportedQuantisationIsNamedWithItsTensor() throws IOException {
        byte[] whole = TinyLlama.gguf(1, UNTIED).bytes();
        int name = new String(whole, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("blk.0.attn_v.weight");
        int type = name + "blk.0.attn_v.weight".length() + 4 + 16;
        whole[type] = 19;
        Path file = folder.resolve("iq1.gguf");
        Files.write(file, whole);
        String refusal = refusal(file);
        assertTrue(refusal.contains("IQ1_S") && refusal.contains("blk.0.attn_v.weight") && refusal.contains("Q8_0"), refusal);
    }

    private void refused(UnaryOperator<GgufWriter> flaw, String word) {
        Path file = folder.resolve("flawed.gguf");
        flaw.apply(TinyLlama.gguf(1, UNTIED)).write(file);
        assertTrue(refusal(file).contains(word), refusal(file));
    }

    private static String refusal(Path file) {
        return assertThrows(UserException.class, () -> Checkpoints.open(file)).getMessage();
    }
}
