// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.potstill.teacher.scoring.UniformNumbers;

/** A text that a {@link QueueWriter} writes or, once ended, whose keys and values are still in a slot of a {@link BatchWriter}. */
final class TextInSlot {
    /**
     * Prompt tokens per read. Prompts are cut at the same places whatever their neighbours, so that the bits of keys and
     * values depend only on the prompt: those up to a cut, on the tokens up to it.
     */
    static final int CHUNK = 64;

    final AnswerRequest request;
    final CompletableFuture<Answer> result;
    private final UniformNumbers points;
    private final int[] written;
    private int count;

    TextInSlot(AnswerRequest request, CompletableFuture<Answer> result) {
        this.request = request;
        this.result = result;
        this.points = request.points();
        this.written = new int[request.maxNewTokens()];
    }

    /** Returns the number of prompt tokens that are read before the first step, which reads the last one. */
    int toRead() {
        return request.prompt().length - 1;
    }

    private int shared() {
        return Math.min(request.shared(), toRead());
    }

    /** Returns the end of the read that begins at a cut. */
    int cutAfter(int begin) {
        return Math.min(begin + CHUNK, begin < shared() ? shared() : toRead());
    }

    private boolean isCut(int position) {
        int from = position <= shared() ? 0 : shared();
        return position <= toRead() && (position == shared() || position == toRead() || (position - from) % CHUNK == 0);
    }

    /** Returns the number of first tokens whose keys and values are, to the bit, those of another text. */
    int sameBeginning(TextInSlot other) {
        if (shared() != other.shared()) {
            return 0;
        }
        int[] prompt = request.prompt();
        int mismatch = Arrays.mismatch(prompt, other.request.prompt());
        int same = Math.min(mismatch < 0 ? prompt.length : mismatch, Math.min(toRead(), other.toRead()));
        while (!isCut(same) || !other.isCut(same)) {
            same--;
        }
        return same;
    }

    /** Returns the position of the next token to read. */
    int position() {
        return toRead() + count;
    }

    /** Returns the next token to read. */
    int last() {
        return count == 0 ? request.prompt()[toRead()] : written[count - 1];
    }

    /** Returns the point that decides the next draw. */
    double point() {
        return point(0);
    }

    /** Returns the point that decides a later draw; 0 is the next. */
    double point(int later) {
        return points.at(count + later);
    }

    /** Returns the number of tokens so far, the prompt's included. */
    int length() {
        return request.prompt().length + count;
    }

    /** Returns the number of tokens that it may still get. */
    int remaining() {
        return written.length - count;
    }

    /** Returns a token by its position. */
    long token(int position) {
        int[] prompt = request.prompt();
        return position < prompt.length ? prompt[position] : written[position - prompt.length];
    }

    /**
     * Takes the next token.
     *
     * @param finite       whether the logits that it was chosen from are finite
     * @param maxPositions of the model
     * @return whether this ended the text
     */
    boolean take(int token, boolean finite, Set<Integer> stopIds, int maxPositions) {
        if (result.isDone()) {
            return true;
        }
        if (!finite) {
            return end(Answer.End.NOT_FINITE);
        }
        if (stopIds.contains(token)) {
            return end(Answer.End.STOP);
        }
        int read = position();
        written[count++] = token;
        return (count == written.length || read + 1 == maxPositions) && end(Answer.End.LENGTH);
    }

    private boolean end(Answer.End end) {
        result.complete(new Answer(Arrays.copyOf(written, count), end));
        return true;
    }
}
