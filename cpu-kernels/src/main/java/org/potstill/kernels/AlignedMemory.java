// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;

/** Native memory that begins with a cache line: vectors and tiles of a line's width then touch one line, not two. */
final class AlignedMemory implements AutoCloseable {
    private static final int LINE = 64;

    private final BytePointer allocated;
    private final long offset;
    private final long bytes;

    /** Allocates memory, uninitialised. */
    AlignedMemory(long bytes) {
        this.allocated = new BytePointer(bytes + LINE);
        this.offset = -allocated.address() & (LINE - 1);
        this.bytes = bytes;
    }

    long address() {
        return allocated.address() + offset;
    }

    /** Returns the memory as a buffer; at most 2 GiB. */
    ByteBuffer buffer() {
        return new BytePointer(allocated).position(offset).limit(offset + bytes).asByteBuffer().order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
        allocated.close();
    }
}
