// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.WritableByteChannel;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Half;

/** Encodes tensors raw and little-endian in bounded pieces, so that none is ever held whole. */
public final class TensorWriter {
    private static final int CHUNK_FLOATS = 1 << 20;

    /** Values of one tensor, by rows. */
    public interface Source {
        void readRows(String name, long firstRow, long rowCount, FloatBuffer target);
    }

    private final FloatBuffer floats = FloatBuffer.allocate(CHUNK_FLOATS);
    private final ByteBuffer bytes = ByteBuffer.allocateDirect(4 * CHUNK_FLOATS).order(ByteOrder.LITTLE_ENDIAN);

    /** Writes the {@code span.bytes()} of a tensor to where the channel is. */
    public void write(String name, WeightsLayout.Span span, Source source, WritableByteChannel channel) throws IOException {
        int columns = span.columns();
        if (columns > CHUNK_FLOATS) {
            throw new IllegalStateException(name + " has " + columns + " columns");
        }
        int rowsPerChunk = CHUNK_FLOATS / columns;
        for (long row = 0; row < span.rows(); row += rowsPerChunk) {
            int count = (int) Math.min(rowsPerChunk, span.rows() - row);
            source.readRows(name, row, count, floats.clear());
            bytes.clear();
            for (int i = 0; i < count * columns; i++) {
                if (span.type() == DataType.FLOAT16) {
                    bytes.putShort(Half.of(floats.get(i)));
                } else {
                    bytes.putFloat(floats.get(i));
                }
            }
            bytes.flip();
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }
}
