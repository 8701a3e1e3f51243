// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.Path;
import org.potstill.spark.OtherLocalFileSystem;

/** A local disk as {@code flaky://} that fails some reads of files whose name holds "flaky". */
public class FlakyFileSystem extends OtherLocalFileSystem {
    private static final AtomicInteger GOOD_READS = new AtomicInteger();
    private static final AtomicInteger FAILURES = new AtomicInteger();

    static void register(Configuration hadoop) {
        hadoop.set("fs.flaky.impl", FlakyFileSystem.class.getName());
        hadoop.setBoolean("fs.flaky.impl.disable.cache", true);
    }

    /** Of the reads that come, the first so many work, and then so many fail. */
    static void fail(int afterReads, int times) {
        GOOD_READS.set(afterReads);
        FAILURES.set(times);
    }

    static int failuresLeft() {
        return FAILURES.get();
    }

    private static void step(boolean flaky) throws IOException {
        if (flaky && GOOD_READS.decrementAndGet() < 0 && FAILURES.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
            throw new SocketTimeoutException("the store does not answer");
        }
    }

    @Override
    public URI getUri() {
        return URI.create("flaky:///");
    }

    @Override
    public FSDataInputStream open(Path path, int buffer) throws IOException {
        FSDataInputStream in = super.open(path, buffer);
        boolean flaky = path.getName().contains("flaky");
        return new FSDataInputStream(new FSInputStream() {
            @Override
            public int read() throws IOException {
                step(flaky);
                return in.read();
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                step(flaky);
                return in.read(bytes, offset, Math.min(length, 8 << 10));
            }

            @Override
            public void seek(long place) throws IOException {
                in.seek(place);
            }

            @Override
            public long getPos() throws IOException {
                return in.getPos();
            }

            @Override
            public boolean seekToNewSource(long place) {
                return false;
            }

            @Override
            public void close() throws IOException {
                in.close();
            }
        });
    }
}
