// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.potstill.checkpoints.io.PrivateFolder;
import org.potstill.spark.errors.JobErrors;

/** A local folder that is deleted with its contents when closed. */
public final class TemporaryFolder implements AutoCloseable {
    private final Path path;

    public TemporaryFolder() {
        path = in(Path.of(System.getProperty("java.io.tmpdir")));
    }

    /** @param scratch see {@link PrivateFolder#in} */
    public TemporaryFolder(Path scratch) {
        path = in(PrivateFolder.in(scratch));
    }

    private static Path in(Path parent) {
        try {
            // Accessible to its owner only.
            return Files.createTempDirectory(parent, "potstill-");
        } catch (IOException e) {
            throw JobErrors.unwritable("temporary files", parent.toString(), e);
        }
    }

    public Path path() {
        return path;
    }

    @Override
    public void close() {
        try (Stream<Path> tree = Files.walk(path)) {
            List<Path> deepestFirst = tree.sorted(Comparator.reverseOrder()).toList();
            for (Path file : deepestFirst) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw JobErrors.unwritable("temporary files", path.toString(), e);
        }
    }
}
