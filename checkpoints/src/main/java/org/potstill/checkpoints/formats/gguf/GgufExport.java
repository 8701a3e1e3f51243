// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.ElementType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.StoredForm;

/**
 * Export of a checkpoint as one GGUF file for llama.cpp, with tokenizer and chat template. Llama and Mistral become
 * architecture "llama", other families that of their name; see {@link GgufTraits}. The heap never holds a whole matrix.
 *
 * <p>Matrices are stored in the requested format, vectors (norms and biases) in F32, as by llama.cpp's own converter.
 */
public final class GgufExport {
    /** Number format of matrices. With Q8_0, rows whose length is not a multiple of 32 are stored as F16. */
    public enum Numbers {
        F32(ElementType.F32, 0), F16(ElementType.F16, 1), Q8_0(ElementType.Q8_0, 7);

        private final ElementType type;
        /** Number of {@code enum llama_ftype}. */
        private final int fileType;

        Numbers(ElementType type, int fileType) {
            this.type = type;
            this.fileType = fileType;
        }
    }

    private static final int CHUNK_FLOATS = 1 << 20;

    private final Checkpoint checkpoint;
    private final CausalLmConfig config;
    private final Numbers numbers;
    private final StoredForm form;
    private final GgufTraits traits;
    private final GgufTokenizerWriter tokenizer;
    private final int context;
    /** Formats by Hugging Face name. */
    private final Map<String, ElementType> types = new LinkedHashMap<>();

    /**
     * Prepares an export.
     *
     * @throws org.potstill.errors.UserException if llama.cpp would compute or tokenize differently from the checkpoint
     */
    public GgufExport(Checkpoint checkpoint, Numbers numbers) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.numbers = numbers;
        this.form = StoredForm.gguf(config, true);
        this.traits = new GgufTraits(config);
        traits.requireKnownToLlamaCpp();
        this.tokenizer = new GgufTokenizerWriter(checkpoint.tokenizer(), config.vocabSize());
        int window = traits.hasWindows() ? 0 : config.variant().slidingWindow();
        this.context = window > 0 ? Math.min(window, config.maxPositionEmbeddings()) : config.maxPositionEmbeddings();
        form.shapes().forEach((name, shape) -> types.put(name, shape.length == 1 ? ElementType.F32
                : shape[1] % numbers.type.blockSize == 0 ? numbers.type : ElementType.F16));
    }

    /** Returns what users of the file should know, in sentences. */
    public List<String> remarks() {
        List<String> remarks = new ArrayList<>();
        if (context < config.maxPositionEmbeddings()) {
            remarks.add("the file's context is " + context + " tokens, not " + config.maxPositionEmbeddings()
                    + ": llama.cpp knows no sliding windows in this architecture, and within one there is no difference");
        }
        if (!tokenizer.unnamedEnds().isEmpty()) {
            remarks.add("GGUF names three tokens that end a text; left out are " + tokenizer.unnamedEnds());
        }
        if (tokenizer.beginsOtherwise()) {
            remarks.add("GGUF names one token that begins a text, the first of those that the tokenizer puts there");
        }
        return remarks;
    }

    /**
     * Writes the file.
     *
     * @param name of the model, for programs to display
     * @param file created, or replaced if it exists
     */
    public void write(String name, Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE)) {
            put(channel, ByteBuffer.wrap(header(name).bytes()));
            for (Map.Entry<String, long[]> tensor : form.shapes().entrySet()) {
                writeTensor(channel, tensor.getKey(), tensor.getValue());
                pad(channel);
            }
            for (int copies = traits.divisorTensors().size(); copies > 0; copies--) {
                List<Float> divisors = traits.storedDivisors();
                ByteBuffer bytes = ByteBuffer.allocate(4 * divisors.size()).order(ByteOrder.LITTLE_ENDIAN);
                divisors.forEach(bytes::putFloat);
                put(channel, bytes.flip());
                pad(channel);
            }
            channel.force(true);
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(file, e);
        }
    }

    private GgufHeaderWriter header(String name) {
        String architecture = GgufConfig.architecture(config.variant().family());
        GgufHeaderWriter header = new GgufHeaderWriter()
                .put("general.architecture", architecture)
                .put("general.type", "model")
                .put("general.name", name)
                .put("general.file_type", numbers.fileType)
                .put("general.quantization_version", 2)
                .put(architecture + ".block_count", config.numHiddenLayers())
                .put(architecture + ".context_length", context)
                .put(architecture + ".embedding_length", config.hiddenSize())
                .put(architecture + ".feed_forward_length", config.intermediateSize())
                .put(architecture + ".attention.head_count", config.numAttentionHeads())
                .put(architecture + ".attention.head_count_kv", config.numKeyValueHeads())
                .put(architecture + ".attention.key_length", config.headDim())
                .put(architecture + ".attention.value_length", config.headDim())
                .put(architecture + ".attention.layer_norm_rms_epsilon", config.rmsNormEps())
                .put(architecture + ".rope.freq_base", config.ropeTheta())
                .put(architecture + ".rope.dimension_count", config.rotatedDimensions())
                .put(architecture + ".vocab_size", config.vocabSize());
        traits.write(header, architecture, context);
        tokenizer.write(header);
        GgmlNames names = new GgmlNames(config);
        form.shapes().forEach((tensor, shape) -> {
            long elements = shape.length == 1 ? shape[0] : Math.multiplyExact(shape[0], shape[1]);
            header.tensor(names.ggml(tensor), types.get(tensor), shape, types.get(tensor).bytes(elements));
        });
        long divisors = traits.storedDivisors().size();
        traits.divisorTensors().forEach(tensor -> header.tensor(tensor, ElementType.F32, new long[] {divisors}, 4 * divisors));
        return header;
    }

    private void writeTensor(FileChannel channel, String name, long[] shape) throws IOException {
        StoredForm.Rows rows = form.encoding(checkpoint::readRows);
        boolean interleaved = RotaryRows.isInterleaved(config.variant().family(), name);
        int columns = shape.length == 1 ? 1 : Math.toIntExact(shape[1]);
        // The rows of a vector are its elements, some of which get reordered, whole heads at a time.
        int rowsPerChunk = Math.max(1, CHUNK_FLOATS / columns / config.headDim()) * config.headDim();
        for (long first = 0; first < shape[0]; first += rowsPerChunk) {
            int count = (int) Math.min(rowsPerChunk, shape[0] - first);
            float[] values = new float[count * columns];
            if (shape.length == 1) {
                FloatBuffer whole = FloatBuffer.allocate(Math.toIntExact(shape[0]));
                rows.read(name, 0, 1, whole);
                whole.get((int) first, values);
            } else {
                rows.read(name, first, count, FloatBuffer.wrap(values));
            }
            encode(channel, name, interleaved ? interleave(values, columns) : values);
        }
    }

    /** Reorders rows into the file's order. */
    private float[] interleave(float[] values, int columns) {
        float[] stored = new float[values.length];
        for (int row = 0; row < values.length / columns; row++) {
            System.arraycopy(values, row * columns, stored, (int) RotaryRows.stored(row, config.headDim()) * columns, columns);
        }
        return stored;
    }

    private void encode(FileChannel channel, String name, float[] values) throws IOException {
        ElementType type = types.get(name);
        // The scale of Q8_0 is a half too: a 127th of the largest magnitude.
        float largest = type == ElementType.F32 ? Float.MAX_VALUE : type == ElementType.F16 ? 65504 : 127 * 65504f;
        for (float value : values) {
            if (!(Math.abs(value) <= largest)) {
                throw CheckpointErrors.notForGguf(name + " has a weight of " + value + ", which " + type + " cannot hold");
            }
        }
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(type.bytes(values.length))).order(ByteOrder.LITTLE_ENDIAN);
        type.encode(values, bytes, values.length);
        put(channel, bytes.flip());
    }

    private static void pad(FileChannel channel) throws IOException {
        put(channel, ByteBuffer.allocate(GgufHeaderWriter.padding(channel.position())));
    }

    private static void put(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
