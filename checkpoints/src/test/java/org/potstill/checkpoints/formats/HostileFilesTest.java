// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.huggingface.WholeSafetensors;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;

/** Files that somebody bent: opening one succeeds or says what is wrong, and never costs much more memory than the file. */
final class HostileFilesTest {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(320, 8, 8, 1, 2, 1, 4, 16, 1e-5f, 10_000f, true);
    /** What opening may allocate: a window or two, an error with its stack, and some objects a tensor or token. */
    private static final long FIXED_BYTES = 384 << 10;
    private static final long BYTES_PER_BYTE = 30;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @TempDir
    Path folder;

    private final Random random = new Random(11);

    @Test
    void tenThousandBentGgufFilesDoNoHarm() throws IOException {
        Path file = folder.resolve("bent.gguf");
        byte[] whole = TinyLlama.gguf(1, CONFIG).bytes();
        Files.write(file, whole);
        bend(10_000, file, whole, whole.length - CONFIG.vocabSize() * 8 * 4, file);
    }

    @Test
    void tenThousandBentSafetensorsFilesDoNoHarm() throws IOException {
        writeFolder();
        Path file = folder.resolve("model.safetensors");
        byte[] whole = Files.readAllBytes(file);
        bend(10_000, file, whole, 8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong(), folder);
    }

    @Test
    void thousandsOfBentJsonFilesDoNoHarm() throws IOException {
        writeFolder();
        Files.move(folder.resolve("model.safetensors"), folder.resolve("part.safetensors"));
        StringBuilder index = new StringBuilder("{\"metadata\":{\"total_size\":1},\"weight_map\":{\"x\":\"part.safetensors\"");
        LlamaTensors.shapes(CONFIG).keySet().forEach(name -> index.append(",\"" + name + "\":\"part.safetensors\""));
        Files.writeString(folder.resolve("model.safetensors.index.json"), index + "}}");
        List<String> names = List.of("config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json");
        long all = 0;
        for (String name : names) {
            all += Files.size(folder.resolve(name));
        }
        for (String name : names) {
            Path file = folder.resolve(name);
            byte[] whole = Files.readAllBytes(file);
            bend(1500, file, whole, whole.length, folder, all);
            overwrite(file, whole);
        }
    }

    private void writeFolder() throws IOException {
        Path gguf = folder.resolve("model.gguf");
        TinyLlama.write(gguf, 1, CONFIG);
        try (Checkpoint checkpoint = Checkpoints.open(gguf)) {
            Map<String, long[]> shapes = LlamaTensors.shapes(CONFIG);
            WholeSafetensors.write(folder.resolve("model.safetensors"), shapes, Map.of("format", "pt"), name -> {
                FloatBuffer values = FloatBuffer.allocate((int) Arrays.stream(shapes.get(name)).reduce(1, (a, b) -> a * b));
                checkpoint.read(name, values);
                return values.flip();
            });
            Files.writeString(folder.resolve("config.json"), CONFIG.toJson());
            Files.writeString(folder.resolve("tokenizer.json"), checkpoint.tokenizer().json());
            Files.writeString(folder.resolve("tokenizer_config.json"), checkpoint.tokenizer().configJson());
        }
    }

    private void bend(int times, Path file, byte[] whole, int header, Path checkpoint) throws IOException {
        bend(times, file, whole, header, checkpoint, whole.length);
    }

    /**
     * @param header how much of {@code whole} is worth bending
     * @param read   bytes that opening reads
     */
    private void bend(int times, Path file, byte[] whole, int header, Path checkpoint, long read) throws IOException {
        openWithinBounds(checkpoint, read);
        int refused = 0;
        for (int i = 0; i < times; i++) {
            byte[] bent = bent(whole, header);
            overwrite(file, bent);
            TokenizerDefinition definition = openWithinBounds(checkpoint, read);
            if (definition == null) {
                refused++;
            } else if (file.endsWith("tokenizer.json")) {
                tokenize(definition);
            }
        }
        // Bending that went unnoticed would test nothing.
        assertTrue(refused > times / 10, refused + " of " + times + " refused");
    }

    /** What a bent definition makes of a text is its own affair, as long as the native library lives. */
    private static void tokenize(TokenizerDefinition definition) {
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            tokenizer.encode("a <|endoftext|> the 17");
        } catch (UserException e) {
            assertFalse(e.cause().isBlank(), e.getMessage());
        }
    }

    /** In place: to truncate and write anew takes some file systems milliseconds. */
    private static void overwrite(Path file, byte[] bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(bytes), 0);
            channel.truncate(bytes.length);
        }
    }

    private byte[] bent(byte[] whole, int header) {
        byte[] bent = whole.clone();
        for (int i = 0; i < 1 + random.nextInt(4); i++) {
            // Half of the hits go to the first kilobyte, where the counts and the model's shape are.
            int at = random.nextInt(random.nextBoolean() ? header : Math.min(header, 1000));
            switch (random.nextInt(7)) {
                case 0 -> bent[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bent[at] = (byte) random.nextInt(256);
                case 2 -> put(bent, at, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(number()).array());
                case 3 -> put(bent, at, ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt((int) number()).array());
                case 4 -> put(bent, at, Long.toString(number()).getBytes(StandardCharsets.US_ASCII));
                case 5 -> put(bent, at, Arrays.copyOfRange(bent, random.nextInt(header), header));
                default -> put(bent, at, new String[] {"[[[[", "{\"a\":", "null", "1e999", "\"\\ud800\"", "../x", "},{", "true"}
                        [random.nextInt(8)].getBytes(StandardCharsets.US_ASCII));
            }
        }
        return random.nextInt(10) == 0 ? Arrays.copyOf(bent, random.nextInt(bent.length)) : bent;
    }

    private void put(byte[] bent, int at, byte[] bytes) {
        System.arraycopy(bytes, 0, bent, at, Math.min(Math.min(bytes.length, 1 + random.nextInt(64)), bent.length - at));
    }

    private long number() {
        return switch (random.nextInt(5)) {
            case 0 -> random.nextLong();
            case 1 -> 1L << random.nextInt(64);
            case 2 -> (1L << random.nextInt(63)) - 1;
            case 3 -> -random.nextInt(10);
            default -> random.nextInt(100_000);
        };
    }

    /** @return null if it did not open */
    private TokenizerDefinition openWithinBounds(Path path, long fileBytes) {
        long bound = FIXED_BYTES + BYTES_PER_BYTE * fileBytes;
        long before = THREADS.getCurrentThreadAllocatedBytes();
        TokenizerDefinition definition = open(path);
        if (THREADS.getCurrentThreadAllocatedBytes() - before >= bound) {
            // The first time, classes may have been loaded.
            before = THREADS.getCurrentThreadAllocatedBytes();
            definition = open(path);
            long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            assertTrue(allocated < bound, allocated + " bytes for a file of " + fileBytes);
        }
        return definition;
    }

    private TokenizerDefinition open(Path path) {
        try (Checkpoint checkpoint = Checkpoints.open(path)) {
            return checkpoint.tokenizer();
        } catch (UserException e) {
            assertFalse(e.cause().isBlank() || e.cause().equals("null"), e.getMessage());
            assertTrue(e.problem().contains(folder.toString()), e.getMessage());
            assertTrue(e.getMessage().length() < 2000, e.getMessage());
            return null;
        }
    }
}
