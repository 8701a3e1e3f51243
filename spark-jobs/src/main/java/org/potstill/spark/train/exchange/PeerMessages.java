// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Messages between executors, and their binary encoding. Decoded bytes are untrusted input. */
public final class PeerMessages {
    private static final int MAX_PEERS = 1 << 20;

    private PeerMessages() {
    }

    /** Function that writes to memory, where no I/O error can occur. */
    private interface Writing {
        void to(DataOutputStream out) throws IOException;
    }

    /**
     * A request for a slice of a state, or for parameters or moments of a slice of a worker's result.
     *
     * @param run     id of the training run
     * @param version version of the state
     * @param slice   index of the slice; -1 to announce the end of the run
     * @param worker  number of the worker; -1 for the state itself
     * @param part    of a worker, one of {@link Reached} or {@link OwnState}; of a state, {@link StateSource#VALUES} or {@link StateSource#MEAN}
     * @param whole   whether the state has moments
     * @param made    contributions to average, for the slice's owner; empty for other peers, which only check whether they have it
     * @param needed  for the owner, see {@link StateSource#needed}
     */
    public record Question(String run, long version, int slice, int worker, int part, boolean whole, List<StateSource.Contribution> made, Set<Long> needed) {
        /** @param owner whether the one who is asked owns the slice */
        static Question ofState(StateSource source, int slice, int part, boolean owner) {
            return new Question(source.run(), source.version(), slice, -1, part, source.whole(), owner ? source.made() : List.of(),
                    owner ? source.needed() : Set.of());
        }

        static Question ofWorker(String run, long version, int slice, int worker, int part) {
            return new Question(run, version, slice, worker, part, false, List.of(), Set.of());
        }

        public static Question end(String run) {
            return new Question(run, 0, -1, -1, 0, false, List.of(), Set.of());
        }

        boolean isEnd() {
            return slice < 0;
        }

        boolean isOfState() {
            return worker < 0;
        }

        ByteBuffer bytes() {
            return PeerMessages.bytes(out -> {
                out.writeUTF(run);
                out.writeLong(version);
                out.writeInt(slice);
                out.writeInt(worker);
                out.writeInt(part);
                out.writeBoolean(whole);
                out.writeInt(made.size());
                for (StateSource.Contribution c : made) {
                    out.writeInt(c.worker());
                    out.writeLong(c.positions());
                    write(c.at(), out);
                    out.writeLong(c.from());
                }
                out.writeInt(needed.size());
                for (long kept : needed) {
                    out.writeLong(kept);
                }
            });
        }

        static Question of(ByteBuffer bytes) throws IOException {
            DataInputStream in = in(bytes);
            String run = in.readUTF();
            long version = in.readLong();
            int slice = in.readInt();
            int worker = in.readInt();
            int part = in.readInt();
            boolean whole = in.readBoolean();
            int count = count(in);
            List<StateSource.Contribution> made = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                made.add(new StateSource.Contribution(in.readInt(), in.readLong(), peer(in), in.readLong()));
            }
            int kept = count(in);
            Set<Long> needed = new LinkedHashSet<>();
            for (int i = 0; i < kept; i++) {
                needed.add(in.readLong());
            }
            return new Question(run, version, slice, worker, part, whole, made, needed);
        }
    }

    /**
     * The answer to a {@link Question}.
     *
     * @param stream name under which the bytes can be fetched once; empty if they are not available
     * @param lost   in that case, peers that did not send their contributions
     */
    public record Answer(String stream, Set<Peer> lost) {
        boolean has() {
            return !stream.isEmpty();
        }

        ByteBuffer bytes() {
            return PeerMessages.bytes(out -> {
                out.writeUTF(stream);
                out.writeInt(lost.size());
                for (Peer peer : lost) {
                    write(peer, out);
                }
            });
        }

        static Answer of(ByteBuffer bytes) throws IOException {
            DataInputStream in = in(bytes);
            String stream = in.readUTF();
            int count = count(in);
            Set<Peer> lost = new LinkedHashSet<>();
            for (int i = 0; i < count; i++) {
                lost.add(peer(in));
            }
            return new Answer(stream, lost);
        }
    }

    private static int count(DataInputStream in) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > MAX_PEERS) {
            throw new IOException(count + " peers");
        }
        return count;
    }

    private static void write(Peer peer, DataOutputStream out) throws IOException {
        out.writeUTF(peer.host());
        out.writeInt(peer.port());
    }

    private static Peer peer(DataInputStream in) throws IOException {
        return new Peer(in.readUTF(), in.readInt());
    }

    private static ByteBuffer bytes(Writing message) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            message.to(new DataOutputStream(bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return ByteBuffer.wrap(bytes.toByteArray());
    }

    private static DataInputStream in(ByteBuffer bytes) {
        return new DataInputStream(new ByteArrayInputStream(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining()));
    }
}
