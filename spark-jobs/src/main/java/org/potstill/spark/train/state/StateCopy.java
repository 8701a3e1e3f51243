// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.formats.huggingface.Safetensors;
import org.potstill.checkpoints.formats.huggingface.SafetensorsFile;
import org.potstill.spark.errors.JobErrors;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;

/**
 * A copy of the training state in a local folder, in the files of a checkpoint: {@code config.json} and {@code model.safetensors} of
 * the student, and {@code updater.safetensors} with the state of its optimizers. Read and written slice by slice, so the driver's heap
 * never holds a whole state.
 *
 * @param folder       the copy's own folder
 * @param parameters   number of the student's parameters
 * @param updaterState length of Adam's moments; 0 for SGD
 * @param momentum     length of the {@link OuterOptimizer}'s momentum buffer; 0 if there is none
 */
public record StateCopy(String folder, int parameters, int updaterState, int momentum) implements Serializable {
    static final String UPDATER = "updater.safetensors";
    public static final List<String> FILES = List.of(Student.CONFIG, Student.WEIGHTS, UPDATER);
    private static final String UPDATER_STATE = "updater_state";
    private static final String OUTER_MOMENTUM = "outer_momentum";
    /** Bytes per file access; Java copies all bytes of one call to or from off-heap memory at once. */
    private static final int PIECE = 1 << 20;

    /**
     * Writes the initial state of training, in which all optimizer state is zero.
     *
     * @param parent parent of the copy's folder
     */
    public static StateCopy of(Student student, OuterOptimizer outer, Path parent) {
        return of(student, outer.momentumLength(student.parameterCount()), parent);
    }

    private static StateCopy of(Student student, int momentum, Path parent) {
        StateCopy copy = new StateCopy(create(parent), student.parameterCount(), student.updaterStateLength(), momentum);
        student.save(Path.of(copy.folder));
        copy.forgetOptimizers();
        return copy;
    }

    /**
     * Copies the state of a checkpoint.
     *
     * @param files  folder with the checkpoint's files
     * @param from   the checkpoint's name in messages
     * @param parent parent of the copy's folder
     */
    public static StateCopy read(Path files, String from, TrainingOptions options, Path parent) {
        try (Student student = Student.load(files, options); SafetensorsFile optimizers = SafetensorsFile.open(files.resolve(UPDATER))) {
            StateCopy copy = of(student, Arrays.equals(optimizers.shape(OUTER_MOMENTUM), new long[1]) ? 0 : student.parameterCount(), parent);
            copy.takeOver(optimizers, UPDATER_STATE, copy.updaterState, copy.updaterAt(), from);
            copy.takeOver(optimizers, OUTER_MOMENTUM, copy.momentum, copy.updaterAt() + Float.BYTES * (long) copy.updaterState, from);
            return copy;
        } catch (IOException e) {
            throw unusable(parent.toString(), e);
        }
    }

    /** Creates files for another state of the same student, all of whose slices must be {@link #paste}d. */
    public StateCopy blank() {
        StateCopy copy = new StateCopy(create(Path.of(folder).getParent()), parameters, updaterState, momentum);
        try (InputStream from = Files.newInputStream(file(Student.WEIGHTS));
                FileChannel to = copy.open(Student.WEIGHTS, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            Files.copy(file(Student.CONFIG), copy.file(Student.CONFIG));
            to.write(ByteBuffer.wrap(from.readNBytes(Math.toIntExact(weightsAt()))));
            // Of the same length, which determines the offsets of values.
            to.write(ByteBuffer.allocate(1), Files.size(file(Student.WEIGHTS)) - 1);
        } catch (IOException e) {
            throw unusable(copy.folder, e);
        }
        copy.forgetOptimizers();
        return copy;
    }

    public Path file(String name) {
        return Path.of(folder).resolve(name);
    }

    /** Returns the total size of the files. */
    public long bytes() {
        return FILES.stream().mapToLong(name -> file(name).toFile().length()).sum();
    }

    /** Returns the layout of the state for a number of workers. */
    public StateLayout layout(int workers) {
        return StateLayout.of(parameters, updaterState, momentum, workers);
    }

    /** Reads the bytes of a slice. */
    public byte[] cut(StateLayout layout, int index) {
        byte[] bytes = new byte[layout.slice(index).bytes()];
        eachPart(layout.slice(index), ByteBuffer.wrap(bytes), FileChannel::read, StandardOpenOption.READ);
        return bytes;
    }

    /** Writes the bytes of a slice. */
    public void paste(byte[] bytes, StateLayout layout, int index) {
        eachPart(layout.slice(index), ByteBuffer.wrap(bytes), FileChannel::write, StandardOpenOption.WRITE);
    }

    /** Deletes the copy, once a newer one replaces it. */
    public void delete() {
        try {
            for (String name : FILES) {
                Files.deleteIfExists(file(name));
            }
            Files.deleteIfExists(Path.of(folder));
        } catch (IOException e) {
            throw unusable(folder, e);
        }
    }

    /** Transfer of bytes between a file and a buffer. */
    private interface Transfer {
        int move(FileChannel file, ByteBuffer bytes, long at) throws IOException;
    }

    private void eachPart(StateLayout.Slice slice, ByteBuffer bytes, Transfer transfer, OpenOption mode) {
        try (FileChannel weights = open(Student.WEIGHTS, mode); FileChannel updater = open(UPDATER, mode)) {
            part(weights, weightsAt(), slice.firstParameter(), slice.parameters(), bytes, transfer);
            part(updater, updaterAt(), slice.firstMoment(), slice.moments(), bytes, transfer);
            part(updater, updaterAt() + Float.BYTES * (long) updaterState, slice.firstMomentum(), slice.momentum(), bytes, transfer);
        } catch (IOException e) {
            throw unusable(folder, e);
        }
    }

    private static void part(FileChannel file, long begin, int first, int count, ByteBuffer bytes, Transfer transfer) throws IOException {
        int end = bytes.position() + Math.multiplyExact(count, Float.BYTES);
        long at = begin + Float.BYTES * (long) first;
        while (bytes.position() < end) {
            bytes.limit(Math.min(end, bytes.position() + PIECE));
            int moved = transfer.move(file, bytes, at);
            if (moved < 0) {
                throw new IOException("it is shorter than it was");
            }
            at += moved;
        }
        bytes.limit(bytes.capacity());
    }

    private void takeOver(SafetensorsFile optimizers, String tensor, int length, long begin, String from) throws IOException {
        long[] shape = optimizers.shape(tensor);
        if (shape.length != 1 || shape[0] != length) {
            throw JobErrors.damagedJson(from + "/" + UPDATER, tensor + " does not fit the student");
        }
        ByteBuffer bytes = StateLayout.littleEndian(new byte[PIECE]);
        FloatBuffer floats = bytes.asFloatBuffer();
        try (FileChannel updater = open(UPDATER, StandardOpenOption.WRITE)) {
            for (int first = 0; first < length; first += floats.limit()) {
                floats.clear().limit(Math.min(floats.capacity(), length - first));
                optimizers.read(tensor, first, floats.remaining(), floats);
                part(updater, begin, first, floats.limit(), bytes.clear(), FileChannel::write);
            }
        }
    }

    private void forgetOptimizers() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(UPDATER_STATE, new long[] {updaterState});
        shapes.put(OUTER_MOMENTUM, new long[] {momentum});
        Safetensors.writeZeros(file(UPDATER), shapes, Map.of());
    }

    private long weightsAt() throws IOException {
        return Files.size(file(Student.WEIGHTS)) - Float.BYTES * (long) parameters;
    }

    private long updaterAt() throws IOException {
        return Files.size(file(UPDATER)) - Float.BYTES * ((long) updaterState + momentum);
    }

    private FileChannel open(String name, OpenOption... mode) throws IOException {
        return FileChannel.open(file(name), mode);
    }

    private static String create(Path parent) {
        try {
            return Files.createTempDirectory(parent, "state-").toString();
        } catch (IOException e) {
            throw unusable(parent.toString(), e);
        }
    }

    private static RuntimeException unusable(String folder, IOException e) {
        return JobErrors.unwritable("temporary files", folder, e);
    }
}
