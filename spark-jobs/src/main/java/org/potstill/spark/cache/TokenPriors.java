// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.softlabels.TargetSpec;
import org.potstill.softlabels.TokenPrior;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The priors with which a store's rows are encoded: immutable files {@code priors/HASH.bin} of the cache. There is usually one, from
 * the first labelled corpus; runs that start concurrently may create more.
 */
public final class TokenPriors implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final String ENDING = ".bin";

    private final int vocabSize;
    private final List<byte[]> files;
    /** Decoded lazily, on each machine. */
    private transient List<TokenPrior> priors;

    private TokenPriors(int vocabSize, List<byte[]> files) {
        this.vocabSize = vocabSize;
        this.files = files;
    }

    static TokenPriors none(int vocabSize) {
        return new TokenPriors(vocabSize, List.of());
    }

    /**
     * Reads the priors of a store.
     *
     * @param folder of the labels
     */
    static TokenPriors in(HadoopFolder folder, int vocabSize) {
        HadoopFolder priors = folder.folder("priors");
        List<byte[]> files = new ArrayList<>();
        for (String name : priors.names()) {
            if (name.matches("[0-9a-f]{16}\\" + ENDING)) {
                files.add(priors.read(name));
            }
        }
        return new TokenPriors(vocabSize, files);
    }

    static void write(HadoopFolder folder, TokenPrior prior) {
        folder.folder("priors").write(prior.name() + ENDING, prior.bytes());
    }

    List<byte[]> files() {
        return files;
    }

    /** Whether there are none yet. */
    public boolean isEmpty() {
        return files.isEmpty();
    }

    /** Returns a codec that encodes with the first prior by name and decodes with all. */
    synchronized SoftTargetsCodec codec(TargetSpec spec) {
        if (priors == null) {
            // Assigned when complete: if a file is damaged, the next call fails, too.
            priors = files.isEmpty() ? List.of(TokenPrior.none(vocabSize))
                    : files.stream().map(bytes -> TokenPrior.read(bytes, vocabSize)).toList();
        }
        return new SoftTargetsCodec(spec, vocabSize, priors.get(0), priors);
    }

    /** Compares contents: each task deserializes its own copy, and executors cache by equality. */
    @Override
    public boolean equals(Object other) {
        return other instanceof TokenPriors those && vocabSize == those.vocabSize
                && Arrays.deepEquals(files.toArray(), those.files.toArray());
    }

    @Override
    public int hashCode() {
        return Arrays.deepHashCode(files.toArray());
    }
}
