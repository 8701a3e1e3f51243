// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;

final class SafetensorsTest {
    @TempDir
    Path folder;

    private Path write(String name) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("wide", new long[] {2, 3});
        shapes.put("a scalar", new long[] {});
        shapes.put("long", new long[] {300_000});
        Map<String, float[]> values = Map.of("wide", new float[] {1, 2, 3, 4, 5, -6}, "a scalar", new float[] {7},
                "long", ramp(300_000));
        Path file = folder.resolve(name);
        WholeSafetensors.write(file, shapes, Map.of("step", "12", "by", "potstill"), n -> FloatBuffer.wrap(values.get(n)));
        return file;
    }

    private Path writeRows(SafetensorsFile file, String name) {
        Safetensors.writeRows(folder.resolve(name), shapes(file), file.metadata(), file::readRows);
        return folder.resolve(name);
    }

    private static Map<String, long[]> shapes(SafetensorsFile file) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        file.names().forEach(name -> shapes.put(name, file.shape(name)));
        return shapes;
    }

    private static float[] ramp(int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = i * 0.5f;
        }
        return values;
    }

    @Test
    void rowByRowAndInPlaceTheBytesAreTheSame() throws IOException {
        Path whole = write("whole.safetensors");
        try (SafetensorsFile file = SafetensorsFile.open(whole)) {
            assertEquals(-1, Files.mismatch(whole, writeRows(file, "rows.safetensors")));
            Path zeros = folder.resolve("zeros.safetensors");
            Safetensors.writeZeros(zeros, shapes(file), file.metadata());
            assertEquals(Files.size(whole), Files.size(zeros));
            try (SafetensorsFile blank = SafetensorsFile.open(zeros)) {
                FloatBuffer all = FloatBuffer.allocate(300_000);
                blank.read("long", all);
                assertArrayEquals(new float[300_000], all.array());
            }
            FloatBuffer some = FloatBuffer.allocate(3);
            file.read("long", 299_997, 3, some);
            assertArrayEquals(Arrays.copyOfRange(ramp(300_000), 299_997, 300_000), some.array());
            assertThrows(IllegalArgumentException.class, () -> file.read("long", 299_998, 3, some.clear()));
        }
    }

    @Test
    void whatIsWrittenIsRead() {
        try (SafetensorsFile file = SafetensorsFile.open(write("m.safetensors"))) {
            assertEquals(List.of("wide", "a scalar", "long"), List.copyOf(file.names()));
            assertEquals(Map.of("step", "12", "by", "potstill"), file.metadata());
            assertArrayEquals(new long[] {2, 3}, file.shape("wide"));
            FloatBuffer wide = FloatBuffer.allocate(7).position(1);
            file.read("wide", wide);
            assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5, -6}, wide.array());
            FloatBuffer all = FloatBuffer.allocate(300_000);
            file.read("long", all);
            assertArrayEquals(ramp(300_000), all.array());
        }
    }

    @Test
    void theSameTensorsGiveTheSameBytesAndLeaveNothingBeside() throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(write("whole"))) {
            byte[] first = Files.readAllBytes(writeRows(file, "rows"));
            byte[] again = Files.readAllBytes(writeRows(file, "rows"));
            assertArrayEquals(first, again);
        }
        try (var files = Files.list(folder)) {
            assertEquals(2, files.count());
        }
    }

    @Test
    void halfPrecisionIsRead() throws IOException {
        String header = "{\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[4,6]}}";
        ByteBuffer data = ByteBuffer.allocate(6).order(ByteOrder.LITTLE_ENDIAN);
        data.putShort((short) 0x3c00).putShort((short) 0x8001).putShort((short) 0xc040);
        try (SafetensorsFile file = SafetensorsFile.open(raw(header, data.array()))) {
            FloatBuffer values = FloatBuffer.allocate(3);
            file.read("h", values);
            file.read("b", values);
            assertArrayEquals(new float[] {1, -0x1p-24f, -3}, values.array());
        }
    }

    @Test
    void aTruncatedFileIsRefusedWhereverItIsCut() throws IOException {
        byte[] whole = Files.readAllBytes(write("whole"));
        for (int length : new int[] {0, 1, 7, 8, 9, 40, 200, 300, whole.length - 4, whole.length - 1}) {
            Path cut = folder.resolve("cut");
            Files.write(cut, Arrays.copyOf(whole, length));
            assertThrows(UserException.class, () -> SafetensorsFile.open(cut), "cut at " + length);
        }
    }

    @Test
    void headersThatLieAreRefused() throws IOException {
        List<String> lies = List.of(
                "[]", "{", "{}x", "{\"a\":1}", "{\"a\":{\"dtype\":\"F32\"}}",
                tensor("a", "F65", "1", "0,8"), tensor("a", "I64", "1", "0,7"), tensor("a", "F4", "1", "0,0"),
                tensor("a", "F32", "1", "0,8"),
                tensor("a", "F32", "2", "4,12"),
                tensor("a", "F32", "3", "0,12"),
                tensor("a", "F32", "-2", "0,8"),
                tensor("a", "F32", "2.0", "0,8"),
                tensor("a", "F32", "4294967296,4294967296", "0,0"),
                tensor("a", "F32", "2", "8,0"),
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                        + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                "[".repeat(100_000));
        for (String lie : lies) {
            Path file = raw(lie, new byte[8]);
            assertThrows(UserException.class, () -> SafetensorsFile.open(file), lie);
        }
    }

    @Test
    void anUnknownTensorIsNamed() {
        try (SafetensorsFile file = SafetensorsFile.open(write("m"))) {
            UserException e = assertThrows(UserException.class, () -> file.shape("absent"));
            assertTrue(e.problem().contains("absent"));
        }
    }

    private static String tensor(String name, String dtype, String shape, String offsets) {
        return "{\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}}";
    }

    private Path raw(String header, byte[] data) throws IOException {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + text.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(text.length).put(text).put(data);
        Path file = folder.resolve("raw");
        Files.write(file, bytes.array());
        return file;
    }
}
