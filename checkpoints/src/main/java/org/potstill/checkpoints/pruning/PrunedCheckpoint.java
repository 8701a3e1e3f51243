// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.pruning;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.huggingface.Safetensors;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.StoredForm;
import org.potstill.checkpoints.model.Traits;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/** A checkpoint after {@link Cuts}, read from the original row by row. Closing it leaves the original open. */
public final class PrunedCheckpoint implements Checkpoint {
    private static final String LAYERS = "model.layers.";
    /** Rows that are read at once where columns are picked from them. */
    private static final int MAX_RUN = 1024;

    private final Checkpoint original;
    private final Cuts cuts;
    private final CausalLmConfig config;
    private final Map<String, long[]> tensors;

    public PrunedCheckpoint(Checkpoint original, Cuts cuts) {
        this.original = original;
        this.cuts = cuts;
        this.config = cuts.apply(original.config());
        this.tensors = LlamaTensors.shapes(config);
    }

    /** Writes {@code model.safetensors}, F32, as Hugging Face names the tensors. */
    public void write(Path file) {
        StoredForm form = StoredForm.huggingFace(config, tensors);
        Safetensors.writeRows(file, form.shapes(), Map.of("format", "pt"), form.encoding(this::readRows)::read);
    }

    @Override
    public CausalLmConfig config() {
        return config;
    }

    @Override
    public Map<String, long[]> tensors() {
        return tensors;
    }

    @Override
    public void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
        String part = name;
        String source = name;
        int layer = -1;
        if (name.startsWith(LAYERS)) {
            int dot = name.indexOf('.', LAYERS.length());
            layer = cuts.layers()[Integer.parseInt(name.substring(LAYERS.length(), dot))];
            part = name.substring(dot + 1);
            source = LAYERS + layer + name.substring(dot);
        }
        boolean vector = tensors.get(name).length == 1;
        int[] rows = vector ? null : rows(part, layer);
        int[] columns = vector ? rows(part, layer) : columns(part, layer);
        if (rows == null) {
            rows = IntStream.range(0, Math.toIntExact(firstRow + rowCount)).toArray();
        }
        long[] shape = original.tensors().get(source);
        int width = Math.toIntExact(shape[shape.length - 1]);
        if (columns != null && columns.length == width) {
            columns = null;
        }
        for (int row = (int) firstRow; row < firstRow + rowCount;) {
            int run = 1;
            while (row + run < firstRow + rowCount && rows[row + run] == rows[row] + run && (columns == null || run < MAX_RUN)) {
                run++;
            }
            select(source, rows[row], run, width, columns, target);
            row += run;
        }
    }

    private void select(String source, int firstRow, int count, int width, int[] columns, FloatBuffer target) {
        if (columns == null) {
            original.readRows(source, firstRow, count, target);
            return;
        }
        FloatBuffer whole = FloatBuffer.allocate(Math.multiplyExact(count, width));
        original.readRows(source, firstRow, count, whole);
        for (int row = 0; row < count; row++) {
            for (int column : columns) {
                target.put(whole.get(row * width + column));
            }
        }
    }

    /** Rows of a matrix or elements of a vector to keep; null for all. */
    private int[] rows(String part, int layer) {
        if (part.startsWith("self_attn.")) {
            if (part.contains("_norm") && original.config().traits().headNorms() != Traits.HeadNorms.ALL) {
                return null;
            }
            return part.contains("o_proj") ? cuts.channels()
                    : heads(layer, part.contains(".q_") ? original.config().numAttentionHeads() / original.config().numKeyValueHeads() : 1);
        }
        if (part.startsWith("mlp.")) {
            return part.contains("down_proj") ? cuts.channels() : cuts.neurons()[layer];
        }
        return part.contains("norm") ? cuts.channels() : null;
    }

    /** Columns of a matrix to keep. */
    private int[] columns(String part, int layer) {
        if (part.contains("o_proj")) {
            return heads(layer, original.config().numAttentionHeads() / original.config().numKeyValueHeads());
        }
        return part.contains("down_proj") ? cuts.neurons()[layer] : cuts.channels();
    }

    /** Returns the indices of all dimensions of the kept groups' heads. */
    private int[] heads(int layer, int headsPerGroup) {
        int width = headsPerGroup * original.config().headDim();
        return Arrays.stream(cuts.groups()[layer]).flatMap(group -> IntStream.range(group * width, (group + 1) * width)).toArray();
    }

    @Override
    public long storedBytes() {
        return 4 * parameters();
    }

    @Override
    public String storedPrecision() {
        return "F32";
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return original.tokenizer();
    }

    @Override
    public String fingerprint() {
        return Sha256.of(String.join("\n", original.fingerprint(), Arrays.toString(cuts.layers()), Arrays.toString(cuts.channels()),
                Arrays.deepToString(cuts.neurons()), Arrays.deepToString(cuts.groups())));
    }

    @Override
    public void close() {
        // The original belongs to whoever opened it.
    }
}
