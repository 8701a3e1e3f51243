// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * An archive from Deeplearning4j's ModelSerializer, read without trusting it: a zip with {@code configuration.json} and
 * {@code coefficients.bin}. The updater's state is skipped; anything else, such as a normalizer in Java serialisation, is
 * rejected unread.
 *
 * @param configuration JSON that names only classes of Deeplearning4j and ND4J
 * @param coefficients  an ND4J array in the format of {@code Nd4j.write}
 */
record Dl4jArchive(Path file, String configuration, byte[] coefficients) {
    private static final String CONFIGURATION = "configuration.json";
    private static final String COEFFICIENTS = "coefficients.bin";
    private static final String UPDATER = "updaterState.bin";
    private static final Set<String> KNOWN = Set.of(CONFIGURATION, COEFFICIENTS, UPDATER);
    /** Largest ratio of unpacked to packed size: zeros compress a thousandfold, weights hardly at all. */
    private static final long MAX_GROWTH = 100;

    static boolean isOne(Path file) {
        return file.toString().endsWith(".zip");
    }

    static Dl4jArchive read(Path file) {
        Map<String, byte[]> entries = new HashMap<>();
        try (ZipInputStream zip = new ZipInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            long left = Math.min(Integer.MAX_VALUE - 16L, MAX_GROWTH * Files.size(file));
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                String name = entry.getName();
                if (!KNOWN.contains(name) || entries.containsKey(name)) {
                    throw TeacherErrors.badModelFile(file, "its entry " + name + " is "
                            + (entries.containsKey(name) ? "there twice" : "none of " + KNOWN));
                }
                byte[] bytes = name.equals(UPDATER) ? new byte[0] : zip.readNBytes((int) left + 1);
                left -= bytes.length + skip(zip, left - bytes.length);
                if (left < 0) {
                    throw TeacherErrors.badModelFile(file, "it grows to more than 2 GiB or " + MAX_GROWTH + " times its size");
                }
                entries.put(name, bytes);
            }
        } catch (IOException | IllegalArgumentException e) {
            throw TeacherErrors.badModelFile(file, "it is not a sound zip file: " + e.getMessage());
        }
        if (!entries.containsKey(CONFIGURATION) || !entries.containsKey(COEFFICIENTS)) {
            throw TeacherErrors.badModelFile(file, "it lacks " + CONFIGURATION + " or " + COEFFICIENTS);
        }
        String configuration = new String(entries.get(CONFIGURATION), StandardCharsets.UTF_8);
        ClassNames.requireOwn(configuration, file);
        return new Dl4jArchive(file, configuration, entries.get(COEFFICIENTS));
    }

    /** Skips to the end of the entry, or just beyond the limit. */
    private static long skip(InputStream zip, long limit) throws IOException {
        byte[] chunk = new byte[1 << 16];
        long skipped = 0;
        for (int read = zip.read(chunk); read >= 0; read = zip.read(chunk)) {
            skipped += read;
            if (skipped > limit) {
                break;
            }
        }
        return skipped;
    }

    /**
     * Returns the network's parameters as one flat row. ND4J allocates what the header asks for, so the header is checked
     * first.
     */
    INDArray parameters() {
        try {
            requireSound(new DataInputStream(new ByteArrayInputStream(coefficients)));
            return Nd4j.read(new DataInputStream(new ByteArrayInputStream(coefficients)));
        } catch (IOException | RuntimeException e) {
            throw TeacherErrors.badModelFile(file, COEFFICIENTS + " is damaged: " + e.getMessage());
        }
    }

    /** Checks the array's two buffers, shape and values: each has an allocation mode, a length, a type and its elements. */
    private static void requireSound(DataInputStream in) throws IOException {
        in.readUTF();
        long words = in.readLong();
        if (!in.readUTF().equals(DataType.INT64.name()) || (words != 6 && words != 8)) {
            throw new IOException("its shape is none");
        }
        long[] shape = new long[(int) words];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = in.readLong();
        }
        in.readUTF();
        long length = in.readLong();
        DataType type = DataType.valueOf(in.readUTF());
        // The rank, 1 or 2, then the dimensions, then the strides.
        boolean row = shape[0] == 1 ? shape[1] == length : shape[0] == 2 && shape[1] == 1 && shape[2] == length;
        if (!row || !type.isFPType() || in.available() % type.width() != 0 || in.available() / type.width() != length) {
            throw new IOException("it is not one row of as many numbers as it has bytes for");
        }
    }
}
