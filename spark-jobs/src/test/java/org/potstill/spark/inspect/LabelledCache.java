// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelFile;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;

/** A cache that tests look into and damage. */
final class LabelledCache {
    static final TargetSpec SPEC = TargetSpec.topK(8);

    private final Path folder;

    LabelledCache(Path folder) {
        this.folder = folder;
    }

    static LabelledCache copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()));
            }
        }
        return new LabelledCache(to);
    }

    Path folder() {
        return folder;
    }

    LabelStore store() {
        return LabelStores.find(Distillery.spark(), folder.toString(), SPEC, null);
    }

    Selection selection() {
        return new Selection(folder.toString(), "", "");
    }

    Path file(int number) {
        return local(store().files().get(number));
    }

    Path described(String name) {
        return local(store().folder().path(name).toString());
    }

    private static Path local(String path) {
        return Path.of(path.replaceFirst("^file:/*", "/"));
    }

    List<LabelledSequence> rows(Path file) {
        List<LabelledSequence> rows = new ArrayList<>();
        try (LabelFile open = LabelFile.open(file.toString(), Distillery.spark().sparkContext().hadoopConfiguration())) {
            open.forEach(LabelFile.ALL, rows::add);
            return rows;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Puts another first row in the place of a file's.
     *
     * @return the one that was there
     */
    LabelledSequence change(Path file, UnaryOperator<LabelledSequence> how) throws IOException {
        List<LabelledSequence> rows = rows(file);
        LabelledSequence old = rows.get(0);
        rows.set(0, how.apply(old));
        delete(file);
        write(rows);
        return old;
    }

    void delete(Path file) throws IOException {
        Files.delete(file);
        Files.deleteIfExists(file.resolveSibling("." + file.getFileName() + ".crc"));
    }

    /** As label does: a whole file with a right footer. */
    void write(List<LabelledSequence> rows) {
        store().shardWriter().write(rows, Distillery.spark().sparkContext().hadoopConfiguration());
    }

    Labels labels() {
        return store().labels();
    }
}
