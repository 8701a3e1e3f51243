// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;

/** A stream that reports exceptions of the file system as {@link StoreFailure}, to distinguish them from bad content. */
final class StoreInput extends FSInputStream {
    private final FSDataInputStream in;

    StoreInput(FSDataInputStream in) {
        this.in = in;
    }

    @Override
    public int read() throws IOException {
        return StoreFailure.ofStore(() -> in.read());
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        return StoreFailure.ofStore(() -> in.read(buffer, offset, length));
    }

    @Override
    public int read(long place, byte[] buffer, int offset, int length) throws IOException {
        return StoreFailure.ofStore(() -> in.read(place, buffer, offset, length));
    }

    @Override
    public void seek(long place) throws IOException {
        StoreFailure.ofStore(() -> {
            in.seek(place);
            return null;
        });
    }

    @Override
    public long getPos() throws IOException {
        return in.getPos();
    }

    @Override
    public boolean seekToNewSource(long place) throws IOException {
        return in.seekToNewSource(place);
    }

    @Override
    public int available() throws IOException {
        return in.available();
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
