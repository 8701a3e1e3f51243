// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.Cluster;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Samples of the content of files: their first and last bytes and some between, which show changes that keep length and time. */
final class FileSample {
    private static final Logger LOG = LoggerFactory.getLogger(FileSample.class);
    private static final int PLACES = 5;
    private static final int BYTES = 4096;
    private static final int FILES_PER_TASK = 256;

    private FileSample() {
    }

    /**
     * Looks at files again, in tasks.
     *
     * @param parts number of parts of the corpus
     * @return the files as they are now, sampled if they are to be; without those that cannot be read
     */
    static List<CorpusPart> now(JavaSparkContext sc, List<CorpusPart> files, long parts) {
        if (files.isEmpty()) {
            return List.of();
        }
        Broadcast<SerializableConfiguration> hadoop = Cluster.hadoop(sc);
        return sc.parallelize(files, Cluster.shards(files.size(), FILES_PER_TASK))
                .flatMap(file -> now(file, file.isSampled(parts), hadoop.value().value()).stream().iterator()).collect();
    }

    private static Optional<CorpusPart> now(CorpusPart file, boolean isSampled, Configuration hadoop) {
        try {
            Path path = new Path(file.path());
            FileSystem fs = CorpusFile.fileSystem(path, hadoop);
            String sample = isSampled ? of(fs, path, file.bytes()) : "";
            // After the sample, which a change since the listing must not get into unnoticed.
            FileStatus status = fs.getFileStatus(path);
            return Optional.of(new CorpusPart(file.path(), status.getLen(), status.getModificationTime(), sample, file.isSteady()));
        } catch (IOException | RuntimeException e) {
            LOG.debug("cannot look at {}", file.path(), e);
            return Optional.empty();
        }
    }

    /** Hashes the whole of a small file, and otherwise blocks at equal distances, the first and the last among them. */
    private static String of(FileSystem fs, Path path, long bytes) throws IOException {
        MessageDigest sha = Sha256.digest();
        try (FSDataInputStream in = fs.open(path)) {
            if (bytes <= PLACES * BYTES) {
                sha.update(in.readNBytes(PLACES * BYTES));
            } else {
                byte[] block = new byte[BYTES];
                for (int place = 0; place < PLACES; place++) {
                    in.readFully((bytes - BYTES) / (PLACES - 1) * place + (place == PLACES - 1 ? (bytes - BYTES) % (PLACES - 1) : 0), block);
                    sha.update(block);
                }
            }
        }
        return HexFormat.of().formatHex(sha.digest(), 0, 16);
    }
}
