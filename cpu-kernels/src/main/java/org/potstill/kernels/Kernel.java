// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.potstill.kernels.Primitives.check;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.bytedeco.javacpp.LongPointer;

/** A primitive of oneDNN, compiled for the shapes of its operands. Several threads may run it at the same time. */
final class Kernel implements AutoCloseable {
    /** Words of an argument in memory: its kind, then its tensor. */
    private static final int WORDS = 2;

    private final long primitive;
    private final int[] kinds;
    private final long[] descriptions;
    private final long scratchpad;
    private final Queue<Call> idle = new ConcurrentLinkedQueue<>();

    /**
     * Compiles a primitive.
     *
     * @param description  of the primitive; destroyed
     * @param kinds        of the arguments, in the order of {@link #run}
     * @param descriptions of the arguments; destroyed when the kernel is closed
     */
    Kernel(long description, int[] kinds, long... descriptions) {
        long[] made = new long[1];
        this.kinds = kinds.clone();
        this.descriptions = descriptions.clone();
        this.scratchpad = Primitives.copy(Primitives.dnnl_primitive_desc_query_md(description, Primitives.QUERY_SCRATCHPAD, 0));
        check("compile a primitive", Primitives.dnnl_primitive_create(made, description));
        this.primitive = made[0];
        Primitives.dnnl_primitive_desc_destroy(description);
    }

    /** Runs the primitive in the calling thread alone, with the operands at these addresses. */
    void run(long... addresses) {
        OneDnn.computeAlone();
        Call call = idle.poll();
        if (call == null) {
            call = new Call();
        }
        call.run(addresses);
        idle.add(call);
    }

    @Override
    public void close() {
        for (Call call = idle.poll(); call != null; call = idle.poll()) {
            call.close();
        }
        Primitives.dnnl_primitive_destroy(primitive);
        Primitives.dnnl_memory_desc_destroy(scratchpad);
        for (long description : descriptions) {
            Primitives.dnnl_memory_desc_destroy(description);
        }
    }

    /** The arguments and the scratchpad of one run at a time. */
    private final class Call {
        private final AlignedMemory scratch = new AlignedMemory(Primitives.dnnl_memory_desc_get_size(scratchpad));
        private final List<Long> tensors = new ArrayList<>();
        private final LongPointer arguments = new LongPointer((long) WORDS * (kinds.length + 1));

        Call() {
            for (int i = 0; i < kinds.length; i++) {
                add(kinds[i], descriptions[i], 0);
            }
            add(Primitives.SCRATCHPAD, scratchpad, scratch.address());
        }

        private void add(int kind, long description, long address) {
            long[] made = new long[1];
            check("describe an operand", Primitives.dnnl_memory_create(made, description, Primitives.ENGINE, address));
            arguments.put((long) WORDS * tensors.size(), kind).put((long) WORDS * tensors.size() + 1, made[0]);
            tensors.add(made[0]);
        }

        void run(long... addresses) {
            for (int i = 0; i < addresses.length; i++) {
                Primitives.dnnl_memory_set_data_handle(tensors.get(i), addresses[i]);
            }
            check("run a primitive", Primitives.dnnl_primitive_execute(primitive, Primitives.STREAM, tensors.size(), arguments.address()));
        }

        void close() {
            tensors.forEach(Primitives::dnnl_memory_destroy);
            arguments.close();
            scratch.close();
        }
    }
}
