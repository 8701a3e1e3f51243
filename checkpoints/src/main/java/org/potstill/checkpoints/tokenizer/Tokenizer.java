// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.util.Optional;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.checkpoints.io.NativeWork;

/**
 * A tokenizer: text to token ids and back. Thread-safe.
 *
 * <p>It adds no special tokens, and neither truncates nor pads. Text that spells out a control token ({@code
 * <|endoftext|>}) is tokenized as plain characters: text from a corpus must not be able to end a document.
 *
 * <p>Hugging Face's tokenizers library does the work, through DJL's binding. The binding's native calls are used
 * directly, not its {@code HuggingFaceTokenizer}, which reports its use over the network and creates two Java objects per
 * token.
 */
public final class Tokenizer implements AutoCloseable {
    static {
        // With a CUDA driver, the binding would download another build of itself.
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

    /** Encodes a text as token ids. No special tokens are added, and special tokens spelled out in the text are not recognised. */
    public int[] encode(String text) {
        return encode(text, false);
    }

    /**
     * Encodes a text as token ids, without adding special tokens.
     *
     * @param special whether to recognise special tokens spelled out in the text, as in the output of a {@link
     *                ChatTemplate}
     */
    public int[] encode(String text, boolean special) {
        return encode(special ? decoder : encoder, text, Tokenizer::ids);
    }

    /** Encodes a text likewise, recognising special tokens, with the tokens' places in the text. */
    TokenizedText encodeWithPlaces(String text) {
        int[] characters = charactersOfCodePoints(text);
        return encode(decoder, text, encoding -> {
            int[] ids = ids(encoding);
            int[] from = new int[ids.length];
            int[] to = new int[ids.length];
            CharSpan[] spans = TokenizersLibrary.LIB.getTokenCharSpans(encoding);
            for (int i = 0; i < ids.length; i++) {
                if (spans[i] != null) {
                    from[i] = characters[spans[i].getStart()];
                    to[i] = characters[spans[i].getEnd()];
                }
            }
            return new TokenizedText(ids, from, to);
        });
    }

    /** Returns the index in UTF-16 of each code point, and the length. */
    private static int[] charactersOfCodePoints(String text) {
        int[] characters = new int[text.codePointCount(0, text.length()) + 1];
        for (int i = 1; i < characters.length; i++) {
            characters[i] = text.offsetByCodePoints(characters[i - 1], 1);
        }
        return characters;
    }

    private <T> T encode(long tokenizer, String text, LongFunction<T> read) {
        return whileOpen(() -> {
            long encoding = TokenizersLibrary.LIB.encode(tokenizer, wellFormed(text), false);
            try {
                return read.apply(encoding);
            } finally {
                TokenizersLibrary.LIB.deleteEncoding(encoding);
            }
        });
    }

    private static int[] ids(long encoding) {
        long[] ids = TokenizersLibrary.LIB.getTokenIds(encoding);
        int[] narrow = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            narrow[i] = Math.toIntExact(ids[i]);
        }
        return narrow;
    }

    /** Decodes token ids to text, control tokens spelled out; bytes that are not UTF-8 become U+FFFD. */
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

    /**
     * Describes the first token that is beyond a model's embedding table, though known to the tokenizer; empty if there
     * is none.
     */
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

    /** Runs a call under a lock: native handles must not be freed meanwhile. */
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

    /** Replaces unpaired surrogates, which have no UTF-8 encoding, with U+FFFD. */
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
