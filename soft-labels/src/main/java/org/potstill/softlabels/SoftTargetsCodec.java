// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.potstill.errors.UserException;

/**
 * A codec between soft targets of one sequence and a compact byte string, version 2, as specified in {@code
 * docs/cache-format.md}.
 *
 * <p>Ids and draws are lossless. Log-probabilities of most probable tokens are quantised in steps of {@value #STEP} nats:
 * if the encoded masses sum to one, so do the decoded ones, and no log-probability above −{@value #FLOOR} changes by more
 * than {@value #STEP}. A codec keeps no state between rows and is thread-safe.
 */
public final class SoftTargetsCodec {
    public static final int VERSION = 2;
    /** Quantisation step of a log-probability, in nats. */
    public static final double STEP = LevelModel.STEP;
    /** Magnitude above which log-probabilities are clipped, in nats. */
    public static final double FLOOR = 40.94;
    private static final int VERSION_BYTES = 1;
    static final int HEADER_BYTES = VERSION_BYTES + Kind.BYTES + 8 + 4;
    static final int CHECKSUM_BYTES = 4;
    /** Most entries of a row, decoded. */
    private static final int MAX_ENTRIES = 1 << 28;

    /** What a row says in front of which targets it holds. */
    public record Kind(int k, int draws, int vocabSize) {
        private static final int BYTES = 2 + 2 + 4;

        /** Reads it; empty for bytes that end before. */
        public static Optional<Kind> of(byte[] encoded) {
            if (encoded.length < VERSION_BYTES + BYTES) {
                return Optional.empty();
            }
            ByteBuffer in = ByteBuffer.wrap(encoded, VERSION_BYTES, BYTES);
            return Optional.of(new Kind(in.getShort() & 0xffff, in.getShort() & 0xffff, in.getInt()));
        }
    }

    private final RowShape shape;
    private final TokenPrior prior;
    private final Map<Long, TokenPrior> known = new HashMap<>();

    /**
     * Makes a codec for rows with one prior.
     *
     * @param spec      what is kept per position; k is capped at the vocabulary size
     * @param vocabSize ids lie in [0, vocabSize)
     * @param prior     that rows are encoded with
     */
    public SoftTargetsCodec(TargetSpec spec, int vocabSize, TokenPrior prior) {
        this(spec, vocabSize, prior, List.of());
    }

    /**
     * Makes a codec that also decodes rows with other priors.
     *
     * @param others priors besides {@code prior} that rows may have been encoded with
     */
    public SoftTargetsCodec(TargetSpec spec, int vocabSize, TokenPrior prior, Collection<TokenPrior> others) {
        this.shape = new RowShape(spec, vocabSize);
        this.prior = prior;
        for (TokenPrior other : others) {
            know(other);
        }
        know(prior);
    }

    private void know(TokenPrior one) {
        if (one.vocabSize() != shape.vocabSize()) {
            throw SoftLabelErrors.badPrior("it is of " + one.vocabSize() + " tokens for a vocabulary of " + shape.vocabSize());
        }
        known.put(one.hash(), one);
    }

    /**
     * Encodes a sequence's targets.
     *
     * @param tokens  ids of the sequence, one more than positions
     * @param targets per position, most probable tokens first, or draws by ascending id
     * @throws IllegalArgumentException if the targets do not match the specification, vocabulary or sequence
     */
    public byte[] encode(int[] tokens, SoftTargets targets) {
        int positions = targets.positions();
        if (tokens.length - 1 != positions || !fits(positions)) {
            throw new IllegalArgumentException(positions + " positions for " + tokens.length + " tokens");
        }
        for (int token : tokens) {
            if (!isToken(token)) {
                throw new IllegalArgumentException("token id " + token + " outside the vocabulary of " + shape.vocabSize());
            }
        }
        SymbolStack stack = new RowEncoder(shape, tokens, prior, targets).encode();
        ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES + stack.bytes() + CHECKSUM_BYTES);
        out.put((byte) VERSION).putShort((short) shape.spec().k()).putShort((short) shape.spec().draws());
        out.putInt(shape.vocabSize()).putLong(prior.hash()).putInt(positions);
        stack.write(out);
        return out.putInt(checksum(out.array(), out.position())).array();
    }

    /**
     * Decodes a sequence's targets.
     *
     * @param tokens ids of the sequence, the same as for encoding
     * @throws UserException if the bytes are damaged, of an unknown version, for another specification or vocabulary, or
     *     encoded with an unknown prior
     */
    public SoftTargets decode(int[] tokens, byte[] encoded) {
        ByteBuffer in = ByteBuffer.wrap(encoded);
        int version = encoded.length > 0 ? in.get() & 0xff : VERSION;
        if (version != VERSION) {
            throw SoftLabelErrors.unknownVersion(version, VERSION);
        }
        int bodyBytes = encoded.length - HEADER_BYTES - CHECKSUM_BYTES;
        if (bodyBytes < SymbolStack.STATE_BYTES || bodyBytes % Integer.BYTES != 0) {
            throw SoftLabelErrors.damaged(encoded.length + " bytes cannot be a whole row");
        }
        if (in.getInt(encoded.length - CHECKSUM_BYTES) != checksum(encoded, encoded.length - CHECKSUM_BYTES)) {
            throw SoftLabelErrors.damaged("the checksum does not match");
        }
        Kind kind = Kind.of(encoded).orElseThrow();
        String stored = targets(kind.k, kind.draws, kind.vocabSize);
        String asked = targets(shape.spec().k(), shape.spec().draws(), shape.vocabSize());
        if (!stored.equals(asked)) {
            throw SoftLabelErrors.otherTargets(stored, asked);
        }
        long hash = in.position(VERSION_BYTES + Kind.BYTES).getLong();
        int positions = in.getInt();
        if (positions != tokens.length - 1 || !fits(positions)) {
            throw SoftLabelErrors.damaged("they are of " + positions + " positions where the row has " + tokens.length + " tokens");
        }
        for (int token : tokens) {
            if (!isToken(token)) {
                throw SoftLabelErrors.damaged("the row has the token id " + token + " in a vocabulary of " + shape.vocabSize());
            }
        }
        return new RowDecoder(shape, tokens, prior(hash), SymbolStack.read(in, bodyBytes)).decode();
    }

    private TokenPrior prior(long hash) {
        TokenPrior named = known.get(hash);
        if (named == null && hash == TokenPrior.NO_HASH) {
            return TokenPrior.none(shape.vocabSize());
        }
        if (named == null) {
            throw SoftLabelErrors.unknownPrior(hash);
        }
        return named;
    }

    private boolean isToken(int id) {
        return id >= 0 && id < shape.vocabSize();
    }

    private boolean fits(int positions) {
        return (long) positions * (shape.head() + shape.mostDrawn()) <= MAX_ENTRIES;
    }

    private static String targets(int k, int draws, int vocabSize) {
        return k + " most probable tokens and " + draws + " draws out of " + vocabSize;
    }

    private static int checksum(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }
}
