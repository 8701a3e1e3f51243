package org.potstill.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A local folder that goes, with all in it, when closed. */
public final class TemporaryFolder implements AutoCloseable {
    private final Path path;

    public TemporaryFolder() {
        this(Path.of(System.getProperty("java.io.tmpdir")));
    }

    /** @param parent made where it is not there */
    public TemporaryFolder(Path parent) {
        try {
            Files.createDirectories(parent);
            // Readable by its owner alone.
            path = Files.createTempDirectory(parent, "potstill-");
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
