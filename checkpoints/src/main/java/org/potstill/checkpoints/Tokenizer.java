package org.potstill.checkpoints;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.util.Optional;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Text to token ids and back. Safe for use by several threads.
 *
 * <p>No special tokens are added, nothing is truncated or padded. A text that spells out a control token
 * ({@code <|endoftext|>}) is tokenized as the characters it has: text from a corpus must not be able to end a
 * document.
 *
 * <p>The work is done by Hugging Face's tokenizers library through DJL's binding. The binding's native calls are
 * used directly, not its {@code HuggingFaceTokenizer}: that class reports its use over the network, and builds two
 * Java objects for every token of a text.
 */
public final class Tokenizer implements AutoCloseable {
    static {
        // On a machine with a CUDA driver the binding would download another build of itself.
        NativeLibraries.setUnlessGiven("RUST_FLAVOR", "cpu");
        NativeLibraries.setUnlessGiven("OPT_OUT_TRACKING", "true");
        NativeLibraries.keepPrivate();
    }

    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private final long encoder;
    private final long decoder;
    private boolean closed;

    public Tokenizer(TokenizerDefinition definition) {
        NativeLibraries.load("the tokenizers", LibUtils::checkStatus);
        String withoutControl = TokenizerJson.withoutControlTokens(definition.json());
        encoder = create(withoutControl);
        try {
            decoder = create(TokenizerJson.withoutLimits(definition.json()));
        } catch (RuntimeException e) {
            TokenizersLibrary.LIB.deleteTokenizer(encoder);
            throw e;
        }
    }

    /** Token ids of a text, without special tokens added; special tokens spelled out in the text are not recognised as such. */
    public int[] encode(String text) {
        return encode(text, false);
    }

    /**
     * Token ids of a text, without special tokens added.
     *
     * @param special whether special tokens spelled out in the text are meant as such, as in what a {@link ChatTemplate} wrote
     */
    public int[] encode(String text, boolean special) {
        return encode(special ? decoder : encoder, text);
    }

    private int[] encode(long tokenizer, String text) {
        return whileOpen(() -> {
            long encoding = TokenizersLibrary.LIB.encode(tokenizer, wellFormed(text), false);
            try {
                long[] ids = TokenizersLibrary.LIB.getTokenIds(encoding);
                int[] narrow = new int[ids.length];
                for (int i = 0; i < ids.length; i++) {
                    narrow[i] = Math.toIntExact(ids[i]);
                }
                return narrow;
            } finally {
                TokenizersLibrary.LIB.deleteEncoding(encoding);
            }
        });
    }

    /** The text of token ids, control tokens spelled out; bytes that are not UTF-8 become U+FFFD. */
    public String decode(int[] ids) {
        long[] wide = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0) {
                throw new IllegalArgumentException("token id " + ids[i]);
            }
            wide[i] = ids[i];
        }
        return whileOpen(() -> TokenizersLibrary.LIB.decode(decoder, wide, false));
    }

    /** Names the first of a text's tokens that a model has no row for, which the tokenizer may know all the same. */
    public Optional<String> beyondRows(int[] ids, int rows) {
        return IntStream.of(ids).filter(id -> id >= rows).mapToObj(id -> "it holds " + decode(new int[] {id}) + ", token " + id
                + " of the tokenizer, and the model has " + rows + " rows").findFirst();
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                TokenizersLibrary.LIB.deleteTokenizer(encoder);
                TokenizersLibrary.LIB.deleteTokenizer(decoder);
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    private static long create(String json) {
        try {
            return NativeWork.call(() -> TokenizersLibrary.LIB.createTokenizerFromString(json));
        } catch (RuntimeException e) {
            throw CheckpointErrors.badTokenizerDefinition(String.valueOf(e.getMessage()));
        }
    }

    /** Native handles must not be freed under a running call. */
    private <T> T whileOpen(Supplier<T> call) {
        lock.readLock().lock();
        try {
            if (closed) {
                throw new IllegalStateException("the tokenizer is closed");
            }
            return NativeWork.call(call::get);
        } finally {
            lock.readLock().unlock();
        }
    }

    /** Halves of surrogate pairs that stand alone have no UTF-8; they become U+FFFD before native code sees them. */
    private static String wellFormed(String text) {
        StringBuilder mended = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            if (mended == null) {
                mended = new StringBuilder(text);
            }
            mended.setCharAt(i, '\ufffd');
        }
        return mended == null ? text : mended.toString();
    }
}
