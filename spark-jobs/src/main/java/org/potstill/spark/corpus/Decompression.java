// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdIOException;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Locale;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.lz4.FramedLZ4CompressorInputStream;
import org.apache.commons.compress.compressors.snappy.FramedSnappyCompressorInputStream;
import org.apache.commons.compress.utils.CountingInputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.io.compress.DecompressorStream;
import org.apache.hadoop.io.compress.Lz4Codec;
import org.apache.hadoop.io.compress.SnappyCodec;
import org.apache.hadoop.io.compress.zlib.BuiltInZlibInflater;
import org.potstill.checkpoints.io.FileSignature;
import org.tukaani.xz.MemoryLimitException;
import org.tukaani.xz.XZInputStream;

/** Decompression of all members of a file, with a limit on the ratio. */
// What Spark 4's Commons Compress offers instead, Spark 3.5's does not have.
@SuppressWarnings("deprecation")
final class Decompression extends FilterInputStream {
    private static final int XZ_MEMORY_KIB = 256 << 10;
    /** Maximum ratio; text expands four to twenty times. */
    private static final long MAX_GROWTH = 500;
    private static final long ALWAYS_ALLOWED = 1L << 30;

    private final CountingInputStream compressed;
    private final String named;
    private long bytes;

    private interface Opening {
        InputStream open(InputStream compressed) throws IOException;
    }

    private Decompression(String named, CountingInputStream compressed, InputStream in) {
        super(in);
        this.named = named;
        this.compressed = compressed;
    }

    static InputStream of(FileSignature signature, InputStream compressed) throws IOException {
        return open(signature.named(), compressed, in -> open(signature, in));
    }

    /**
     * Decompresses the blocks that Hadoop's codecs for lz4 and snappy write, which only the name tells.
     *
     * @throws Unreadable if the first bytes cannot be those of such a block, whose lengths Hadoop would allocate
     */
    static InputStream inBlocks(CorpusFile file, byte[] head, InputStream compressed, Configuration hadoop) throws IOException {
        CompressionCodec codec = new CompressionCodecFactory(hadoop).getCodec(new Path(file.path().toLowerCase(Locale.ROOT)));
        ByteBuffer lengths = ByteBuffer.wrap(head);
        if (!(codec instanceof Lz4Codec || codec instanceof SnappyCodec) || head.length < 8 || lengths.getInt(0) < 0
                || lengths.getInt(4) < 0 || lengths.getInt(4) > file.bytes()) {
            throw new Unreadable("by its name it is compressed, but it does not begin as a compression that is read; decompress it first");
        }
        return open("compressed with Hadoop's " + codec.getClass().getSimpleName(), compressed, codec::createInputStream);
    }

    private static InputStream open(String named, InputStream compressed, Opening opening) throws IOException {
        CountingInputStream counted = new CountingInputStream(compressed);
        try {
            return new Decompression(named, counted, opening.open(counted));
        } catch (StoreFailure e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw damaged(named, e);
        }
    }

    private static InputStream open(FileSignature signature, InputStream in) throws IOException {
        return switch (signature) {
            // The JDK's stream may end after a member if no more bytes are available at that moment.
            case GZIP -> new GzipCompressorInputStream(in, true);
            case BZIP2 -> new BZip2CompressorInputStream(in, true);
            case XZ -> new XZInputStream(in, XZ_MEMORY_KIB);
            case ZSTD, ZSTD_FRAMES -> new ZstdInputStreamNoFinalizer(in);
            case LZ4 -> new FramedLZ4CompressorInputStream(in, true);
            case SNAPPY -> new FramedSnappyCompressorInputStream(in);
            // The JDK's stream ends after the first member.
            case ZLIB -> new DecompressorStream(in, new BuiltInZlibInflater());
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
            throw damaged(named, e);
        }
        bytes += Math.max(0, read);
        if (bytes > ALWAYS_ALLOWED && bytes / MAX_GROWTH > compressed.getBytesRead()) {
            throw new Unreadable("it is " + named + ", and " + compressed.getBytesRead() + " bytes of it are more than "
                    + bytes + ": that is not text");
        }
        return read;
    }

    @Override
    public boolean markSupported() {
        return false;
    }

    private static Unreadable damaged(String named, Exception e) {
        if (e instanceof MemoryLimitException || e instanceof ZstdIOException zstd && zstd.getErrorCode() == Zstd.errFrameParameterWindowTooLarge()) {
            return new Unreadable("it is " + named + " with a window that is too large to decompress in bounded memory; compress it again without "
                    + "the option for that (--long of zstd, dict= of xz)", e);
        }
        if (e instanceof ZstdIOException zstd && zstd.getErrorCode() == Zstd.errDictionaryWrong()) {
            return new Unreadable("it is " + named + " with a dictionary, which is not there; compress it again without one", e);
        }
        return new Unreadable("it is " + named + ", and damaged or truncated" + Unreadable.said(e).map(said -> ": " + said).orElse(""), e, true);
    }
}
