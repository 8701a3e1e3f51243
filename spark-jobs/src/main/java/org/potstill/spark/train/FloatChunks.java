package org.potstill.spark.train;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * A long row of floats in chunks of {@value #CHUNK}: small enough for the processor's cache while they are worked on, and
 * for the garbage collector not to treat each as a special case. Not to be changed once made: tasks share them.
 */
final class FloatChunks implements Serializable {
    private static final long serialVersionUID = 1L;
    static final int CHUNK = 1 << 14;

    private transient float[][] chunks;

    private FloatChunks(float[][] chunks) {
        this.chunks = chunks;
    }

    /** @param chunk gives each chunk by its number, {@link #size} floats */
    static FloatChunks of(int length, IntFunction<float[]> chunk) {
        return new FloatChunks(IntStream.range(0, count(length)).mapToObj(chunk).toArray(float[][]::new));
    }

    /** A copy of the values [from, to). */
    static FloatChunks copyOf(float[] values, int from, int to) {
        return of(to - from, c -> Arrays.copyOfRange(values, from + c * CHUNK, from + c * CHUNK + size(to - from, c)));
    }

    /** Of a chunk of a row of {@code length}. */
    static int size(int length, int chunk) {
        return Math.min(CHUNK, length - chunk * CHUNK);
    }

    private static int count(int length) {
        return (length + CHUNK - 1) / CHUNK;
    }

    int length() {
        return chunks.length == 0 ? 0 : (chunks.length - 1) * CHUNK + chunks[chunks.length - 1].length;
    }

    int count() {
        return chunks.length;
    }

    float[] chunk(int index) {
        return chunks[index];
    }

    void copyTo(float[] target, int at) {
        for (int i = 0; i < chunks.length; i++) {
            System.arraycopy(chunks[i], 0, target, at + i * CHUNK, chunks[i].length);
        }
    }

    /** As bytes: Java would write the elements of an array of floats one by one. */
    private void writeObject(ObjectOutputStream out) throws IOException {
        out.writeInt(length());
        ByteBuffer bytes = bytes(Math.min(CHUNK, length()));
        for (float[] chunk : chunks) {
            bytes.asFloatBuffer().put(chunk);
            out.write(bytes.array(), 0, chunk.length * Float.BYTES);
        }
    }

    private void readObject(ObjectInputStream in) throws IOException {
        int length = in.readInt();
        ByteBuffer bytes = bytes(Math.min(CHUNK, length));
        chunks = new float[count(length)][];
        for (int i = 0; i < chunks.length; i++) {
            chunks[i] = new float[size(length, i)];
            in.readFully(bytes.array(), 0, chunks[i].length * Float.BYTES);
            bytes.asFloatBuffer().get(chunks[i]);
        }
    }

    private static ByteBuffer bytes(int floats) {
        return ByteBuffer.allocate(floats * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }
}
