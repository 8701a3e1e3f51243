// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.kernels.FloatValues;
import org.potstill.kernels.KernelErrors;
import org.potstill.kernels.PackedLinear;
import org.potstill.kernels.Row;

/** Reads a checkpoint's tensors and packs them, all through the same memory: buffers of their own would pile up. */
final class WeightReader {
    private final Checkpoint checkpoint;
    private FloatBuffer memory;

    WeightReader(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    /** Reads and packs one weight: parts of a layer, one below the other. */
    PackedLinear.Weight pack(PackedLinear linear, int layer, boolean biased, String... parts) {
        FloatBuffer weight = memory(linear.out(), linear.in());
        FloatBuffer bias = FloatBuffer.allocate(biased ? linear.out() : 0);
        for (String part : parts) {
            String name = LlamaTensors.layer(layer, part);
            checkpoint.read(name, weight);
            if (biased) {
                checkpoint.read(LlamaTensors.bias(name), bias);
            }
        }
        return linear.pack(weight.clear(), biased ? bias.array() : null);
    }

    /** Reads rows of a matrix, valid until the next call. */
    FloatBuffer rows(String name, int first, int count, int columns) {
        FloatBuffer values = memory(count, columns);
        checkpoint.readRows(name, first, count, values);
        return values.clear();
    }

    /** Reads a vector; null for no name. */
    FloatValues vector(String name) {
        if (name == null) {
            return null;
        }
        int n = Math.toIntExact(checkpoint.tensors().get(name)[0]);
        FloatValues vector = Row.ofFloats(n);
        checkpoint.read(name, FloatBuffer.wrap(vector.values, 0, n));
        return vector;
    }

    private FloatBuffer memory(int rows, int columns) {
        long bytes = (long) Float.BYTES * rows * columns;
        if (bytes > Integer.MAX_VALUE) {
            throw KernelErrors.tensorTooLarge(rows, columns);
        }
        if (memory == null || memory.capacity() < rows * columns) {
            memory = ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
        }
        return memory.clear();
    }
}
