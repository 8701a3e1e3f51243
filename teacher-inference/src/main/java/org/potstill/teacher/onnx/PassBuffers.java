// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.HashMap;
import java.util.Map;
import org.potstill.teacher.scoring.EngineOutOfMemory;

/**
 * Off-heap buffers for the inputs and outputs of one pass at a time. A buffer grows to the largest pass so far and is
 * reused: fresh ones would accumulate until the next garbage collection.
 */
final class PassBuffers {
    private final Map<String, ByteBuffer> buffers = new HashMap<>();

    IntBuffer ints(String what, long count) {
        return bytes(what, 4 * count).asIntBuffer();
    }

    FloatBuffer floats(String what, long count) {
        return bytes(what, 4 * count).asFloatBuffer();
    }

    DoubleBuffer doubles(String what, long count) {
        return bytes(what, 8 * count).asDoubleBuffer();
    }

    private ByteBuffer bytes(String what, long count) {
        int size = Math.toIntExact(count);
        try {
            ByteBuffer buffer = buffers.get(what);
            if (buffer == null || buffer.capacity() < size) {
                buffers.remove(what);
                buffer = ByteBuffer.allocateDirect(size);
                buffers.put(what, buffer);
            }
            return buffer.slice(0, size).order(ByteOrder.nativeOrder());
        } catch (OutOfMemoryError e) {
            // Direct memory is exhausted; the heap is intact.
            throw new EngineOutOfMemory(e);
        }
    }
}
