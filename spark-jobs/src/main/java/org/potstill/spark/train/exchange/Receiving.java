// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.network.client.StreamCallback;

/** Callback that collects the bytes of a stream and reports their arrival. */
final class Receiving implements StreamCallback {
    private final byte[] received;
    private final CompletableFuture<byte[]> whole;
    private final Runnable progress;
    private int at;

    Receiving(byte[] into, CompletableFuture<byte[]> whole, Runnable progress) {
        this.received = into;
        this.whole = whole;
        this.progress = progress;
    }

    @Override
    public void onData(String name, ByteBuffer data) throws IOException {
        progress.run();
        int length = data.remaining();
        if (length > received.length - at) {
            throw new IOException("more than " + received.length + " bytes");
        }
        data.get(received, at, length);
        at += length;
    }

    @Override
    public void onComplete(String name) {
        if (at == received.length) {
            whole.complete(received);
        } else {
            whole.completeExceptionally(new IOException(at + " bytes of " + received.length));
        }
    }

    @Override
    public void onFailure(String name, Throwable cause) {
        whole.completeExceptionally(cause);
    }
}
