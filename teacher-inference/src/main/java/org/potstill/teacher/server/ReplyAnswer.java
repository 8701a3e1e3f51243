// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.EOFException;
import java.io.IOException;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.Json;
import org.potstill.teacher.generation.Answer;

/** An answer from a server's reply. Checks that the reply is about the prompt, and why the answer ended. */
final class ReplyAnswer {
    private final Continuation asked;
    private final int vocabSize;
    private final Set<Integer> stopIds;
    private final int[] tokens;
    private int count;
    private boolean given;
    private String finish;
    private Optional<Long> stoppedBy = Optional.empty();

    ReplyAnswer(Continuation asked, int vocabSize) {
        this.asked = asked;
        this.vocabSize = vocabSize;
        this.stopIds = IntStream.of(asked.stopIds()).boxed().collect(Collectors.toSet());
        this.tokens = new int[asked.maxNewTokens()];
    }

    RequestTokens prompt() {
        return asked.prompt();
    }

    /** Reads the new tokens, with the one that ended the answer; null is skipped. */
    void readTokens(JsonReader json) throws IOException, MismatchException {
        if (ServerProtocol.isNull(json)) {
            return;
        }
        given = true;
        json.beginArray();
        while (json.hasNext()) {
            long id = json.nextLong();
            if (id < 0 || id >= vocabSize) {
                throw new MismatchException("the answer has the token id " + id + ", and the vocabulary's are 0 to " + (vocabSize - 1));
            }
            if (count == tokens.length) {
                throw new MismatchException("the answer has more than the " + tokens.length + " tokens that the request allows");
            }
            tokens[count++] = (int) id;
        }
        json.endArray();
    }

    void readFinish(JsonReader json) throws IOException {
        finish = ServerProtocol.isNull(json) ? null : json.nextString();
    }

    /** Reads the token that ended the answer; of the end-of-text token, servers send null, and of a string, the string. */
    void readStop(JsonReader json) throws IOException {
        if (json.peek() == JsonToken.NUMBER) {
            stoppedBy = Optional.of(json.nextLong());
        } else {
            json.skipValue();
        }
    }

    /**
     * Returns the answer.
     *
     * @throws EOFException if the server was interrupted while it wrote
     */
    Answer result() throws EOFException, Json.MalformedException, MismatchException {
        if ("abort".equals(finish)) {
            throw new EOFException("the server aborted the answer");
        }
        if (!given || finish == null) {
            throw new Json.MalformedException(given ? "it does not say why the answer ended" : "it has no ids of the answer's tokens");
        }
        for (int t = 0; t < count; t++) {
            if (stopIds.contains(tokens[t])) {
                return new Answer(Arrays.copyOf(tokens, t), Answer.End.STOP);
            }
        }
        switch (finish) {
            case "length":
                return new Answer(Arrays.copyOf(tokens, count), Answer.End.LENGTH);
            case "stop":
                if (count > 0 && stoppedBy.filter(id -> id == tokens[count - 1]).isPresent()) {
                    return new Answer(Arrays.copyOf(tokens, count - 1), Answer.End.STOP);
                }
                throw new MismatchException("the answer stops " + (count == 0 ? "without a token" : "with token " + tokens[count - 1])
                        + ", which is no end token of the tokenizer at teacher.path");
            default:
                throw new Json.MalformedException("the answer ended because of " + finish);
        }
    }
}
