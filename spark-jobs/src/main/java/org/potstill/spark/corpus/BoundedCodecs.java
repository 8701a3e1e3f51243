// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.compression.CompressionCodecFactory;
import org.apache.parquet.hadoop.CodecFactory;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;

/** Parquet's codecs, refusing pages whose headers claim more bytes than a page can be meant to have: that many would be allocated. */
final class BoundedCodecs implements CompressionCodecFactory {
    /** Writers aim at 1 MiB. */
    private static final long ALWAYS_ALLOWED = 256L << 20;

    private final CodecFactory codecs;
    private final long maxPage;

    /** @param maxDocument bytes of a document's text; a page may hold some of the largest */
    BoundedCodecs(Configuration hadoop, long maxDocument) {
        this.codecs = new CodecFactory(hadoop, 0);
        this.maxPage = Math.max(ALWAYS_ALLOWED, 4 * maxDocument);
    }

    @Override
    public BytesInputCompressor getCompressor(CompressionCodecName codec) {
        throw new UnsupportedOperationException("only reads");
    }

    @Override
    public BytesInputDecompressor getDecompressor(CompressionCodecName codec) {
        BytesInputDecompressor unbounded = codecs.getDecompressor(codec);
        return new BytesInputDecompressor() {
            @Override
            public BytesInput decompress(BytesInput compressed, int bytes) throws IOException {
                require(bytes);
                return unbounded.decompress(compressed, bytes);
            }

            @Override
            public void decompress(ByteBuffer compressed, int compressedBytes, ByteBuffer page, int bytes) throws IOException {
                require(bytes);
                unbounded.decompress(compressed, compressedBytes, page, bytes);
            }

            @Override
            public void release() {
                unbounded.release();
            }
        };
    }

    private void require(int page) throws Unreadable {
        if (page < 0 || page > maxPage) {
            throw new Unreadable("a page claims to have " + page + " bytes; at most " + maxPage + " are read");
        }
    }

    @Override
    public void release() {
        codecs.release();
    }
}
