// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.io.EOFException;
import java.net.URI;
import java.util.concurrent.ThreadPoolExecutor;
import org.potstill.checkpoints.io.Json;
import org.potstill.teacher.scoring.InputLimits;

/** Requests about a model to its server, and the threads that send as many at a time as the options allow. */
final class ServerRequests {
    private final ServerOptions options;
    private final ServerClient client;
    private final InputLimits limits;
    private final ServerProtocol protocol;
    private final URI address;
    private final String model;
    private final ThreadPoolExecutor threads;
    private final BusyTime busy = new BusyTime();

    /** Reads a reply's body. */
    interface Reply<T> {
        T read(byte[] body) throws EOFException, MismatchException, Json.MalformedException;
    }

    ServerRequests(ServerModel model) {
        this.options = model.options();
        this.client = model.client();
        this.limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        this.protocol = ServerProtocol.of(model.listed().owner());
        this.address = protocol.address(options.url());
        this.model = model.id();
        this.threads = client.threads();
    }

    InputLimits limits() {
        return limits;
    }

    ServerProtocol protocol() {
        return protocol;
    }

    /** Returns the model's name for the server. */
    String model() {
        return model;
    }

    ThreadPoolExecutor threads() {
        return threads;
    }

    /**
     * Sends a request and waits for its reply.
     *
     * @param entries most tokens or log-probabilities that the reply can have
     * @throws org.potstill.errors.UserException if the reply is about other tokens, or none comes
     */
    <T> T call(String request, long entries, Reply<T> reply) throws InterruptedException {
        busy.begin();
        try {
            return client.call(address, request, ServerClient.longestReply(entries), body -> {
                try {
                    return reply.read(body);
                } catch (MismatchException e) {
                    throw ServerErrors.otherTokens(options.url(), e.getMessage());
                }
            });
        } finally {
            busy.end();
        }
    }

    /** Returns the nanoseconds since the last call during which any requests were in flight. */
    long takeBusy() {
        return busy.take();
    }
}
