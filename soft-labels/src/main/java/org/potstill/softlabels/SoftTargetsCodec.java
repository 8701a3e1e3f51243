package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.potstill.errors.UserException;

/**
 * Soft targets of one sequence as one compact byte string, version 1; {@code soft-labels/FORMAT.md} is its specification.
 *
 * <p>Log-probabilities are kept in steps of {@value #STEP} nats; after decoding, kept and tail masses sum to one and
 * no log-probability above −{@value #FLOOR} is further than {@value #STEP} from the one encoded.
 */
public final class SoftTargetsCodec {
    public static final int VERSION = 1;
    /** Quantisation step of a log-probability, in nats. */
    public static final double STEP = 0.01;
    static final int LEVEL_BITS = 12;
    /** Largest level of a listed token; one more means no mass at all, which only the tail can have. */
    static final int MAX_LEVEL = (1 << LEVEL_BITS) - 2;
    static final int NO_MASS = MAX_LEVEL + 1;
    /** Lowest magnitude at which log-probabilities are clipped, in nats. */
    public static final double FLOOR = 40.94;
    static final int HEADER_BYTES = 1 + 1 + 2 + 4;
    static final int CHECKSUM_BYTES = 4;
    private static final int MAX_POSITIONS = 1 << 24;

    private static final double[] MASS_OF_LEVEL = new double[NO_MASS + 1];

    static {
        for (int level = 0; level <= MAX_LEVEL; level++) {
            MASS_OF_LEVEL[level] = Math.exp(-level * STEP);
        }
    }

    private final TargetSpec spec;
    private final int vocabSize;
    private final int idBits;

    /**
     * @param spec      how many entries each position has; a vocabulary below k has that many
     * @param vocabSize ids lie in [0, vocabSize)
     */
    public SoftTargetsCodec(TargetSpec spec, int vocabSize) {
        this.spec = spec;
        this.vocabSize = vocabSize;
        this.idBits = Math.max(1, 32 - Integer.numberOfLeadingZeros(vocabSize - 1));
    }

    private int entriesPerPosition() {
        return Math.min(spec.k(), vocabSize);
    }

    /** @throws IllegalArgumentException when a position has another number of entries or an id outside the vocabulary */
    public byte[] encode(int[] tokens, SoftTargets targets) {
        int k = entriesPerPosition();
        int positions = targets.positions();
        ByteBuffer out = ByteBuffer.allocate(encodedBytes(positions));
        out.put((byte) VERSION).put((byte) idBits).putShort((short) k).putInt(positions);
        BitWriter bits = new BitWriter(out);
        for (int t = 0; t < positions; t++) {
            if (targets.end(t) - targets.begin(t) != k) {
                throw new IllegalArgumentException("position " + t + " has not " + k + " entries");
            }
            for (int i = targets.begin(t); i < targets.end(t); i++) {
                int id = targets.ids()[i];
                if (id < 0 || id >= vocabSize) {
                    throw new IllegalArgumentException("token id " + id + " outside the vocabulary of " + vocabSize);
                }
                bits.write(id, idBits);
                bits.write(Math.min(MAX_LEVEL, level(targets.probabilities()[i])), LEVEL_BITS);
            }
            bits.write(level(targets.tailMass(t)), LEVEL_BITS);
        }
        bits.flush();
        out.putInt(checksum(out.array(), out.position()));
        return out.array();
    }

    /** @throws UserException when the bytes are damaged, of an unknown version or made for another spec or vocabulary */
    public SoftTargets decode(int[] tokens, byte[] encoded) {
        if (encoded.length < HEADER_BYTES + CHECKSUM_BYTES) {
            throw damaged(encoded.length + " bytes are fewer than a header");
        }
        ByteBuffer in = ByteBuffer.wrap(encoded);
        int version = in.get() & 0xff;
        if (version != VERSION) {
            throw new UserException("cannot read soft targets of format version " + version,
                    "this Potstill reads version " + VERSION, "read the cache with the Potstill that wrote it, or label again");
        }
        int storedIdBits = in.get() & 0xff;
        int k = in.getShort() & 0xffff;
        int positions = in.getInt();
        if (storedIdBits != idBits || k != entriesPerPosition()) {
            throw new UserException("soft targets do not fit what was asked for",
                    "they hold " + k + " entries a position in " + storedIdBits + " bits an id; " + spec.name()
                            + " over a vocabulary of " + vocabSize + " has " + entriesPerPosition() + " in " + idBits,
                    "use the targets.k and the teacher that the cache was made with");
        }
        if (positions < 0 || positions > MAX_POSITIONS || encodedBytes(positions) != encoded.length) {
            throw damaged(positions + " positions do not take " + encoded.length + " bytes");
        }
        int stored = in.getInt(encoded.length - CHECKSUM_BYTES);
        if (stored != checksum(encoded, encoded.length - CHECKSUM_BYTES)) {
            throw damaged("the checksum does not match");
        }
        return decodeBody(in, positions, k);
    }

    private SoftTargets decodeBody(ByteBuffer in, int positions, int k) {
        int[] offsets = new int[positions + 1];
        int[] ids = new int[positions * k];
        float[] probabilities = new float[positions * k];
        double[] mass = new double[k];
        BitReader bits = new BitReader(in);
        for (int t = 0, at = 0; t < positions; t++) {
            double total = 0;
            for (int i = 0; i < k; i++) {
                int id = bits.read(idBits);
                if (id >= vocabSize) {
                    throw damaged("token id " + id + " lies outside the vocabulary of " + vocabSize);
                }
                ids[at + i] = id;
                mass[i] = MASS_OF_LEVEL[bits.read(LEVEL_BITS)];
                total += mass[i];
            }
            total += MASS_OF_LEVEL[bits.read(LEVEL_BITS)];
            if (total == 0) {
                throw damaged("position " + t + " has no mass at all");
            }
            for (int i = 0; i < k; i++) {
                probabilities[at + i] = (float) (mass[i] / total);
            }
            at += k;
            offsets[t + 1] = at;
        }
        return new SoftTargets(offsets, ids, probabilities);
    }

    private int encodedBytes(int positions) {
        long bits = (long) positions * ((long) entriesPerPosition() * (idBits + LEVEL_BITS) + LEVEL_BITS);
        return Math.toIntExact(HEADER_BYTES + (bits + 7) / 8 + CHECKSUM_BYTES);
    }

    static int level(double mass) {
        if (!(mass > 0)) {
            return NO_MASS;
        }
        return (int) Math.min(MAX_LEVEL, Math.max(0, Math.round(-Math.log(mass) / STEP)));
    }

    private static int checksum(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }

    private static UserException damaged(String why) {
        return new UserException("soft targets are damaged", why, "delete the file and run label again: it scores only what is missing");
    }

    /** Most significant bit first. */
    private static final class BitWriter {
        private final ByteBuffer out;
        private long pending;
        private int pendingBits;

        BitWriter(ByteBuffer out) {
            this.out = out;
        }

        void write(int value, int bits) {
            pending = pending << bits | value;
            pendingBits += bits;
            while (pendingBits >= 8) {
                pendingBits -= 8;
                out.put((byte) (pending >>> pendingBits));
            }
        }

        void flush() {
            if (pendingBits > 0) {
                write(0, 8 - pendingBits);
            }
        }
    }

    private static final class BitReader {
        private final ByteBuffer in;
        private long pending;
        private int pendingBits;

        BitReader(ByteBuffer in) {
            this.in = in;
        }

        int read(int bits) {
            while (pendingBits < bits) {
                pending = pending << 8 | in.get() & 0xff;
                pendingBits += 8;
            }
            pendingBits -= bits;
            return (int) (pending >>> pendingBits) & ((1 << bits) - 1);
        }
    }
}
