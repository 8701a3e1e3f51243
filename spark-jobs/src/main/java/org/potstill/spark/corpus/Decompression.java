// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.lz4.FramedLZ4CompressorInputStream;
import org.apache.commons.compress.compressors.snappy.FramedSnappyCompressorInputStream;
import org.apache.commons.compress.utils.CountingInputStream;
import org.tukaani.xz.XZInputStream;

/** Decompression of all members of a file, with a limit on the ratio. */
final class Decompression extends FilterInputStream {
    private static final int XZ_MEMORY_KIB = 256 << 10;
    /** Maximum ratio; text expands four to twenty times. */
    private static final long MAX_GROWTH = 500;
    private static final long ALWAYS_ALLOWED = 1L << 30;

    private final CountingInputStream compressed;
    private final Signature signature;
    private long bytes;

    private Decompression(Signature signature, CountingInputStream compressed) throws IOException {
        super(open(signature, compressed));
        this.signature = signature;
        this.compressed = compressed;
    }

    static InputStream of(Signature signature, InputStream compressed) throws IOException {
        try {
            return new Decompression(signature, new CountingInputStream(compressed));
        } catch (StoreFailure e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw damaged(signature, e);
        }
    }

    private static InputStream open(Signature signature, InputStream in) throws IOException {
        return switch (signature) {
            // The JDK's stream may end after a member if no more bytes are available at that moment.
            case GZIP -> new GzipCompressorInputStream(in, true);
            case BZIP2 -> new BZip2CompressorInputStream(in, true);
            case XZ -> new XZInputStream(in, XZ_MEMORY_KIB);
            case ZSTD, ZSTD_FRAMES -> new ZstdInputStreamNoFinalizer(in);
            case LZ4 -> new FramedLZ4CompressorInputStream(in, true);
            case SNAPPY -> new FramedSnappyCompressorInputStream(in);
            default -> throw new IllegalArgumentException(signature.name());
        };
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int read;
        try {
            read = super.read(buffer, offset, length);
        } catch (StoreFailure e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw damaged(signature, e);
        }
        bytes += Math.max(0, read);
        if (bytes > ALWAYS_ALLOWED && bytes / MAX_GROWTH > compressed.getBytesRead()) {
            throw new Unreadable("it is " + signature.named() + ", and " + compressed.getBytesRead() + " bytes of it are more than "
                    + bytes + ": that is not text");
        }
        return read;
    }

    @Override
    public boolean markSupported() {
        return false;
    }

    private static Unreadable damaged(Signature signature, Exception e) {
        return new Unreadable("it is " + signature.named() + ", and damaged or truncated"
                + (e.getMessage() == null ? "" : ": " + e.getMessage()), e, true);
    }
}
