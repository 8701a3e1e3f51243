package org.potstill.teacher;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * Memory outside the heap that passes read and write, one pass at a time. Each buffer is as large as the largest pass so far
 * needed: fresh ones would pile up until the heap is collected.
 */
final class PassBuffers {
    private final Map<String, ByteBuffer> buffers = new HashMap<>();

    IntBuffer ints(String what, long count) {
        return bytes(what, 4 * count).asIntBuffer();
    }

    FloatBuffer floats(String what, long count) {
        return bytes(what, 4 * count).asFloatBuffer();
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
            // Of direct memory: the heap is as well as before.
            throw new EngineOutOfMemory(e);
        }
    }
}
