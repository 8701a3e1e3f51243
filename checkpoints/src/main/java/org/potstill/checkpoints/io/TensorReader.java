// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Decodes a run of elements from a file in bounded pieces, so that no tensor is ever held twice. */
public final class TensorReader {
    private static final int CHUNK_ELEMENTS = 1 << 18;

    private TensorReader() {
    }

    /** Decodes {@code elements}, a whole number of blocks, that begin at byte {@code offset}. */
    public static void read(BoundedFile file, ElementType type, long offset, long elements, FloatBuffer target) {
        int chunk = (int) Math.min(CHUNK_ELEMENTS, elements);
        byte[] bytes = new byte[(int) type.bytes(chunk)];
        float[] values = new float[chunk];
        ByteBuffer source = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (long done = 0; done < elements; done += chunk) {
            int count = (int) Math.min(chunk, elements - done);
            file.readInto(offset + type.bytes(done), bytes, (int) type.bytes(count));
            type.decode(source.clear(), values, count);
            target.put(values, 0, count);
        }
    }
}
