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
     * @param recipe  id of the {@link Recipe} by which the slice's owner averages it; empty for other peers, which only check whether they have it
     * @param told    that recipe, for an owner that does not know it; otherwise null
     */
    public record Question(String run, long version, int slice, int worker, int part, String recipe, Recipe told) {
        static Question ofState(StateSource source, int slice, int part) {
            return new Question(source.run(), source.version(), slice, -1, part, "", null);
        }

        static Question ofOwner(StateSource source, int slice, int part) {
            return new Question(source.run(), source.version(), slice, -1, part, source.recipe().id(), null);
        }

        static Question ofWorker(String run, long version, int slice, int worker, int part) {
            return new Question(run, version, slice, worker, part, "", null);
        }

        public static Question end(String run) {
            return new Question(run, 0, -1, -1, 0, "", null);
        }

        /** Returns the same question for an owner that does not know the recipe. */
        Question with(Recipe recipe) {
            return new Question(run, version, slice, worker, part, recipe.id(), recipe);
        }

        boolean isForOwner() {
            return !recipe.isEmpty();
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
                out.writeUTF(recipe);
                out.writeBoolean(told != null);
                if (told != null) {
                    write(told, out);
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
            String recipe = in.readUTF();
            return new Question(run, version, slice, worker, part, recipe, in.readBoolean() ? readRecipe(in, recipe) : null);
        }
    }

    /**
     * The answer to a {@link Question}.
     *
     * @param stream      name under which the bytes can be fetched once; empty if they are not available
     * @param lost        in that case, peers that did not send their contributions
     * @param wantsRecipe whether the slice's owner does not know the recipe
     */
    public record Answer(String stream, Set<Peer> lost, boolean wantsRecipe) {
        static final Answer WANTS_RECIPE = new Answer("", Set.of(), true);

        /** @param stream empty for none */
        static Answer of(String stream) {
            return new Answer(stream, Set.of(), false);
        }

        static Answer lost(Set<Peer> peers) {
            return new Answer("", peers, false);
        }

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
                out.writeBoolean(wantsRecipe);
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
            return new Answer(stream, lost, in.readBoolean());
        }
    }

    private static void write(Recipe recipe, DataOutputStream out) throws IOException {
        out.writeBoolean(recipe.whole());
        out.writeInt(recipe.made().size());
        for (StateSource.Contribution c : recipe.made()) {
            out.writeInt(c.worker());
            out.writeLong(c.positions());
            write(c.at(), out);
            out.writeLong(c.from());
        }
        out.writeInt(recipe.needed().size());
        for (long kept : recipe.needed()) {
            out.writeLong(kept);
        }
    }

    private static Recipe readRecipe(DataInputStream in, String id) throws IOException {
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
        return new Recipe(id, whole, made, needed);
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
