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
        try {
            return in.read();
        } catch (IOException e) {
            throw StoreFailure.of(e);
        }
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        try {
            return in.read(buffer, offset, length);
        } catch (IOException e) {
            throw StoreFailure.of(e);
        }
    }

    @Override
    public int read(long place, byte[] buffer, int offset, int length) throws IOException {
        try {
            return in.read(place, buffer, offset, length);
        } catch (IOException e) {
            throw StoreFailure.of(e);
        }
    }

    @Override
    public void seek(long place) throws IOException {
        try {
            in.seek(place);
        } catch (IOException e) {
            throw StoreFailure.of(e);
        }
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
