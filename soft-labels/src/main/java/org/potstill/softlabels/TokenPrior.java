// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import org.potstill.errors.UserException;

/**
 * A prior over token frequencies, as a compressor's dictionary. A row names the prior that it was encoded with and cannot
 * be decoded with another.
 *
 * <p>A token's weight mixes Zipf's law over the ids, three parts, with its corpus count to the power of 3/4, seven parts;
 * in a BPE vocabulary, ids follow the order of merges. Counts are stored like the numbers of {@link NumberModel}, to one
 * part in eight.
 */
public final class TokenPrior {
    public static final int MAX_VOCABULARY = 1 << RowShape.ID_BITS;
    /** Hash of the prior that needs no file. */
    public static final long NO_HASH = 0;
    private static final int ZIPF_SCALE = 900_000;
    private static final int ZIPF_OFFSET = 300;
    /** Sum of the weights from a corpus: seven parts to Zipf's three for a vocabulary of about 50,000. */
    private static final int CORPUS_WEIGHT = 11_000_000;
    private static final int MAX_COUNT_BITS = 24;
    private static final int SYMBOLS = NumberModel.symbol((1 << MAX_COUNT_BITS) - 1) + 1;

    private final byte[] bytes;
    private final long hash;
    private final int[] weights;
    private final int[][] sums;
    private final int total;

    /** @param symbols of {@link NumberModel}, one per token, for its count */
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

    /** Returns Zipf's law alone, which depends only on the vocabulary size and so needs no file. */
    public static TokenPrior none(int vocabSize) {
        checkVocabulary(vocabSize);
        return new TokenPrior(new int[vocabSize], new byte[0], NO_HASH);
    }

    /**
     * Makes a prior from counts.
     *
     * @param counts occurrences of each token in a corpus or a sample of it
     */
    public static TokenPrior of(long[] counts) {
        checkVocabulary(counts.length);
        long largest = Arrays.stream(counts).max().getAsLong();
        int shift = Math.max(0, 64 - Long.numberOfLeadingZeros(largest) - MAX_COUNT_BITS);
        int[] symbols = Arrays.stream(counts).mapToInt(count -> NumberModel.symbol((int) (Math.max(0, count) >> shift))).toArray();
        byte[] bytes = write(symbols);
        return new TokenPrior(symbols, bytes, hash(bytes));
    }

    /**
     * Reads a prior.
     *
     * @param bytes from {@link #bytes}
     * @throws UserException if they are not a prior over this vocabulary
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

    /** Returns the prior's file content; empty for {@link #none}. */
    public byte[] bytes() {
        return bytes.clone();
    }

    /** Returns the first 8 bytes of the SHA-256 of {@link #bytes}, big-endian; {@link #NO_HASH} for {@link #none}. */
    public long hash() {
        return hash;
    }

    /** Returns the hash as in file names: 16 hex digits. */
    public String name() {
        return hex(hash);
    }

    public int vocabSize() {
        return weights.length;
    }

    /** Returns the weight of each token, above 0. Not a copy: read only. */
    int[] weights() {
        return weights;
    }

    /** Returns the sums of {@link TokenWeights#sums}. Not a copy: read only. */
    int[][] sums() {
        return sums;
    }

    int total() {
        return total;
    }

    static String hex(long hash) {
        return HexFormat.of().toHexDigits(hash);
    }

    /** Raises a count to the power of 3/4, with operations that round alike on all machines. */
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
