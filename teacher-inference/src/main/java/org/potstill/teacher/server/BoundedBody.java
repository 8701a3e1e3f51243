// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;

/** A reply's body in memory, up to a limit; the rest is not read. */
public final class BoundedBody implements BodySubscriber<byte[]> {
    /** Thrown for a longer body. */
    static final class TooLongException extends IOException {
        private static final long serialVersionUID = 1L;

        TooLongException(long limit) {
            super("more than " + limit + " bytes");
        }
    }

    private final CompletableFuture<byte[]> body = new CompletableFuture<>();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final int limit;
    private final boolean cut;
    private Flow.Subscription subscription;

    /** @param cut whether a longer body is cut, as only its beginning will be shown, rather than refused */
    public BoundedBody(int limit, boolean cut) {
        this.limit = limit;
        this.cut = cut;
    }

    @Override
    public CompletionStage<byte[]> getBody() {
        return body;
    }

    @Override
    public void onSubscribe(Flow.Subscription source) {
        subscription = source;
        source.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        for (ByteBuffer buffer : buffers) {
            byte[] read = new byte[Math.min(buffer.remaining(), limit - bytes.size())];
            boolean over = read.length < buffer.remaining();
            buffer.get(read);
            bytes.writeBytes(read);
            if (over) {
                subscription.cancel();
                if (cut) {
                    onComplete();
                } else {
                    body.completeExceptionally(new TooLongException(limit));
                }
                return;
            }
        }
    }

    @Override
    public void onError(Throwable thrown) {
        body.completeExceptionally(thrown);
    }

    @Override
    public void onComplete() {
        body.complete(bytes.toByteArray());
    }
}
