package org.potstill.spark.train;

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

/** What executors ask each other, as bytes; anybody may have sent them. */
final class PeerMessages {
    private static final int MAX_PEERS = 1 << 20;

    private PeerMessages() {
    }

    /** Writes to memory, where nothing fails. */
    private interface Writing {
        void to(DataOutputStream out) throws IOException;
    }

    /**
     * Whether the one asked has a slice of a state, or can make it, or has part of such a slice that a worker reached.
     *
     * @param run     of training
     * @param version of the state
     * @param slice   of it; -1 to say that the run is over
     * @param worker  that reached it; -1 for the state itself
     * @param part    of what the worker reached, as {@link Reached} has it
     * @param made    what to average, for the slice's owner; empty for others, who are only asked whether they have it
     */
    record Question(String run, long version, int slice, int worker, int part, List<StateSource.Contribution> made) {
        static Question ofState(String run, long version, int slice, List<StateSource.Contribution> made) {
            return new Question(run, version, slice, -1, 0, made);
        }

        static Question ofWorker(String run, long version, int slice, int worker, int part) {
            return new Question(run, version, slice, worker, part, List.of());
        }

        static Question end(String run) {
            return ofState(run, 0, -1, List.of());
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
                out.writeInt(made.size());
                for (StateSource.Contribution c : made) {
                    out.writeInt(c.worker());
                    out.writeLong(c.positions());
                    write(c.at(), out);
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
            int count = count(in);
            List<StateSource.Contribution> made = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                made.add(new StateSource.Contribution(in.readInt(), in.readLong(), peer(in)));
            }
            return new Question(run, version, slice, worker, part, made);
        }
    }

    /**
     * @param stream names what was asked for, to be fetched once; empty where it is not there
     * @param lost   who, in that case, did not send what it is made of
     */
    record Answer(String stream, Set<Peer> lost) {
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
