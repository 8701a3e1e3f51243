package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import org.potstill.errors.UserException;

/**
 * How frequent each token is held to be before a row says anything: what a dictionary is to a compressor. A row names the prior
 * that it was encoded with and decodes with no other.
 *
 * <p>A token's weight is three parts of Zipf's law over the ids, which in a BPE vocabulary come in the order of their merges, to
 * seven of its count in a corpus to the power of 3/4. Counts are kept as {@link NumberModel} keeps numbers, to one part in eight.
 */
public final class TokenPrior {
    public static final int MAX_VOCABULARY = 1 << 18;
    /** Of the prior for which no file is needed. */
    public static final long NO_HASH = 0;
    private static final int ZIPF_SCALE = 900_000;
    private static final int ZIPF_OFFSET = 300;
    /** What a corpus adds to the weights, together; seven parts to Zipf's three at a vocabulary of some 50,000. */
    private static final int CORPUS_WEIGHT = 11_000_000;
    private static final int MAX_COUNT_BITS = 24;
    private static final int SYMBOLS = NumberModel.symbol((1 << MAX_COUNT_BITS) - 1) + 1;

    private final byte[] bytes;
    private final long hash;
    private final int[] weights;
    private final int[][] sums;
    private final int total;

    /** @param symbols of {@link NumberModel} for the count of each token */
    private TokenPrior(int[] symbols, byte[] bytes, long hash) {
        this.bytes = bytes;
        this.hash = hash;
        double corpus = 0;
        for (int symbol : symbols) {
            corpus += flattened(symbol);
        }
        double scale = corpus == 0 ? 0 : CORPUS_WEIGHT / corpus;
        this.weights = new int[symbols.length];
        for (int id = 0; id < symbols.length; id++) {
            weights[id] = ZIPF_SCALE / (id + ZIPF_OFFSET) + (int) (flattened(symbols[id]) * scale);
        }
        this.sums = TokenWeights.sums(weights);
        this.total = Arrays.stream(weights).sum();
    }

    /** Zipf's law alone; the same for everybody, so that no file is needed. */
    public static TokenPrior none(int vocabSize) {
        checkVocabulary(vocabSize);
        return new TokenPrior(new int[vocabSize], new byte[0], NO_HASH);
    }

    /** @param counts how often each token of the vocabulary occurs in a corpus, or in a part of it */
    public static TokenPrior of(long[] counts) {
        checkVocabulary(counts.length);
        long largest = Arrays.stream(counts).max().getAsLong();
        int shift = Math.max(0, 64 - Long.numberOfLeadingZeros(largest) - MAX_COUNT_BITS);
        int[] symbols = Arrays.stream(counts).mapToInt(count -> NumberModel.symbol((int) (Math.max(0, count) >> shift))).toArray();
        byte[] bytes = write(symbols);
        return new TokenPrior(symbols, bytes, hash(bytes));
    }

    /**
     * @param bytes what {@link #bytes} gave
     * @throws UserException when they are no prior over this vocabulary
     */
    public static TokenPrior read(byte[] bytes, int vocabSize) {
        checkVocabulary(vocabSize);
        int mostBytes = SymbolStack.STATE_BYTES + Integer.BYTES * (vocabSize + 1);
        if (bytes.length < SymbolStack.STATE_BYTES || bytes.length > mostBytes || bytes.length % Integer.BYTES != 0) {
            throw SoftLabelErrors.badPrior("it has " + bytes.length + " bytes for a vocabulary of " + vocabSize);
        }
        SymbolStack stack = SymbolStack.read(ByteBuffer.wrap(bytes), bytes.length);
        NumberModel model = new NumberModel(SYMBOLS);
        int[] symbols = new int[vocabSize];
        for (int id = 0; id < vocabSize; id++) {
            symbols[id] = model.decode(stack);
            if (symbols[id] >= SYMBOLS) {
                throw SoftLabelErrors.badPrior("token " + id + " has the symbol " + symbols[id] + " of " + SYMBOLS);
            }
        }
        if (!stack.isSpent()) {
            throw SoftLabelErrors.badPrior("it is not of " + vocabSize + " tokens");
        }
        return new TokenPrior(symbols, bytes.clone(), hash(bytes));
    }

    private static byte[] write(int[] symbols) {
        SymbolTape tape = new SymbolTape();
        NumberModel model = new NumberModel(SYMBOLS);
        for (int symbol : symbols) {
            model.encode(symbol, tape);
        }
        SymbolStack stack = new SymbolStack();
        tape.pushBackTo(0, stack);
        ByteBuffer out = ByteBuffer.allocate(stack.bytes());
        stack.write(out);
        return out.array();
    }

    /** The prior in a file; none for {@link #none}, which has no bytes. */
    public byte[] bytes() {
        return bytes.clone();
    }

    /** First 8 bytes of the SHA-256 of {@link #bytes}, big-endian; {@link #NO_HASH} for {@link #none}. */
    public long hash() {
        return hash;
    }

    /** The hash as it stands in file names: 16 hex digits. */
    public String name() {
        return hex(hash);
    }

    public int vocabSize() {
        return weights.length;
    }

    /** Of each token, above 0; not to be written to. */
    int[] weights() {
        return weights;
    }

    /** See {@link TokenWeights#sums}; not to be written to. */
    int[][] sums() {
        return sums;
    }

    int total() {
        return total;
    }

    static String hex(long hash) {
        return HexFormat.of().toHexDigits(hash);
    }

    /** A count to the power of 3/4, in operations that every machine rounds alike. */
    private static double flattened(int symbol) {
        double root = Math.sqrt(NumberModel.smallest(symbol));
        return root * Math.sqrt(root);
    }

    private static void checkVocabulary(int vocabSize) {
        if (vocabSize < 1 || vocabSize > MAX_VOCABULARY) {
            throw SoftLabelErrors.badPrior("a vocabulary of " + vocabSize + " tokens, where 1 to " + MAX_VOCABULARY + " can be had");
        }
    }

    private static long hash(byte[] bytes) {
        return ByteBuffer.wrap(SequenceKey.sha256(bytes)).getLong();
    }
}
