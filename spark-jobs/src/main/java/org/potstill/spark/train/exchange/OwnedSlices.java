// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import org.potstill.spark.train.state.ErrorFeedback;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.SliceAverage;
import org.potstill.spark.train.state.SliceDifference;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;

/** The averaging of the slices that an executor owns: it fetches the workers' results and averages them. */
final class OwnedSlices {
    private final String run;
    private final WorkerSetup setup;
    private final StudentPool students;
    /** By slices, since the last whole state. */
    private final Map<Integer, Owed> owed = new ConcurrentHashMap<>();
    private final Map<Integer, Deque<byte[]>> buffers = new HashMap<>();
    private final Semaphore averaging = new Semaphore(ExecutorState.MAX_AVERAGING);

    /**
     * What the means of a slice still owe.
     *
     * @param version of the last of them
     */
    private record Owed(long version, ErrorFeedback feedback) {
    }

    OwnedSlices(String run, WorkerSetup setup, StudentPool students) {
        this.run = run;
        this.setup = setup;
        this.students = students;
    }

    /** Takes the step to a slice by the mean of the workers' differences. */
    byte[] step(Replica before, Replica replica, int index, byte[] mean) {
        replica.means().set(index, mean);
        return new SliceDifference(replica.layout().slice(index), setup.payload(), setup.outer()).step(before.slices().get(index),
                before.layout().slice(index), mean);
    }

    /**
     * Averages the workers' results for a slice.
     *
     * @param version of the state that the slice is of
     * @param before  the state before it; may be null
     * @param replica the state
     * @throws PeersLostException if the state before is not here, or some results are not to be had
     */
    byte[] average(long version, Replica before, Replica replica, List<StateSource.Contribution> made, int index) throws PeersLostException {
        if (before == null || before.slices().get(index) == null) {
            throw PeersLostException.here();
        }
        StateLayout.Slice slice = replica.layout().slice(index);
        Payload payload = replica.whole() ? setup.wholePayload() : setup.payload();
        List<Part> parameters = new ArrayList<>();
        List<Part> moments = new ArrayList<>();
        averaging.acquireUninterruptibly();
        try {
            for (StateSource.Contribution c : made) {
                parameters.add(part(c, index, Reached.PARAMETERS, payload.bytes(slice.parameters())));
                if (replica.whole()) {
                    moments.add(part(c, index, Reached.MOMENTS, payload.bytes(slice.moments())));
                }
            }
            awaitAll(joined(parameters, moments));
            List<ByteBuffer> ends = parameters.stream().map(Part::bytes).toList();
            long[] positions = made.stream().mapToLong(StateSource.Contribution::positions).toArray();
            byte[] average = replica.whole()
                    ? new SliceAverage(slice, payload, setup.outer()).average(before.withMoments(index, slice), ends, moments.stream().map(Part::bytes).toList(), positions)
                    : step(before, replica, index, mean(version, before, slice, index, ends, positions));
            // Not after a failure: other transfers may still be writing to their buffers.
            joined(parameters, moments).stream().map(Part::buffer).filter(Objects::nonNull).forEach(this::giveBack);
            return average;
        } finally {
            averaging.release();
            joined(parameters, moments).stream().map(Part::own).filter(Objects::nonNull).forEach(own -> own.done().run());
        }
    }

    private byte[] mean(long version, Replica before, StateLayout.Slice slice, int index, List<ByteBuffer> differences, long[] positions)
            throws PeersLostException {
        Owed last = before.whole() ? new Owed(version - 1, new ErrorFeedback(setup.payload(), slice.parameters())) : owed.get(index);
        if (last == null || last.version() != version - 1) {
            throw PeersLostException.here();
        }
        byte[] mean = new SliceDifference(slice, setup.payload(), setup.outer()).mean(differences, positions, last.feedback());
        owed.put(index, new Owed(version, last.feedback()));
        return mean;
    }

    private static List<Part> joined(List<Part> some, List<Part> others) {
        return Stream.concat(some.stream(), others.stream()).toList();
    }

    /**
     * Parameters or moments of one slice of a worker's result, local or in transfer.
     *
     * @param bytes  the values; valid once {@code coming} completes
     * @param coming completes when the transfer does; null for a local worker
     * @param own    the reading of a local worker's memory; null for a remote one
     * @param buffer the array that receives the transfer; null for a local worker
     */
    private record Part(Peer from, ByteBuffer bytes, CompletableFuture<?> coming, StudentPool.Reading own, byte[] buffer) {
    }

    private Part part(StateSource.Contribution c, int slice, int part, int bytes) {
        StudentPool.Reading own = c.at().equals(Exchange.get().address()) ? students.read(c.from(), c.worker(), slice, part) : null;
        if (own != null) {
            return new Part(c.at(), own.bytes(), null, own, null);
        }
        byte[] buffer = buffer(bytes);
        return new Part(c.at(), StateLayout.littleEndian(buffer),
                Exchange.get().fetch(c.at(), PeerMessages.Question.ofWorker(run, c.from(), slice, c.worker(), part), buffer), null, buffer);
    }

    private static void awaitAll(List<Part> parts) throws PeersLostException {
        Set<Peer> lost = new LinkedHashSet<>();
        IOException last = null;
        for (Part part : parts) {
            try {
                if (part.coming() != null) {
                    Exchange.get().await(part.coming(), part.from());
                }
            } catch (IOException e) {
                lost.add(part.from());
                last = e;
            }
        }
        if (!lost.isEmpty()) {
            throw new PeersLostException(lost, last);
        }
    }

    private synchronized byte[] buffer(int bytes) {
        Deque<byte[]> free = buffers.get(bytes);
        return free == null || free.isEmpty() ? new byte[bytes] : free.pop();
    }

    private synchronized void giveBack(byte[] buffer) {
        buffers.computeIfAbsent(buffer.length, key -> new ArrayDeque<>()).push(buffer);
    }
}
