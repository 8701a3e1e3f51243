// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;

/** A folder with one large file that appears atomically and is reused if it exists. */
public final class ScratchFolder {
    /** Writes the file, which is not there yet, down to the disk. */
    public interface Content {
        void write(Path file) throws IOException;
    }

    private final Path scratch;
    private final Path folder;
    private final String fileName;
    private final long bytes;

    /**
     * @param scratch see {@link PrivateFolder#in}
     * @param name  of the folder below {@code scratch}; other content needs another name
     * @param bytes that the file has
     */
    public ScratchFolder(Path scratch, String name, String fileName, long bytes) {
        this.scratch = PrivateFolder.in(scratch);
        this.folder = this.scratch.resolve(name);
        this.fileName = fileName;
        this.bytes = bytes;
    }

    /** Returns the folder, its file written if missing. If several processes ask at once, one writes and the others wait. */
    public Path materialize(Content content) {
        try {
            if (isComplete()) {
                return folder;
            }
            // File locks are held by processes; threads of this one take turns here.
            synchronized (ScratchFolder.class) {
                Path lockFile = scratch.resolve("." + folder.getFileName() + ".lock");
                try (FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.lock()) {
                    if (!isComplete()) {
                        replace(content);
                    }
                }
            }
            return folder;
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(folder, e);
        }
    }

    private boolean isComplete() throws IOException {
        Path file = folder.resolve(fileName);
        return Files.isRegularFile(file) && Files.size(file) == bytes;
    }

    private void replace(Content content) throws IOException {
        // We hold the lock: other temporary folders of this name are what killed processes left behind.
        String prefix = "." + folder.getFileName() + ".tmp";
        try (Stream<Path> siblings = Files.list(scratch)) {
            for (Path stale : siblings.filter(p -> p.getFileName().toString().startsWith(prefix)).toList()) {
                delete(stale);
            }
        }
        delete(folder);
        long free = Files.getFileStore(scratch).getUsableSpace();
        if (free < bytes) {
            throw CheckpointErrors.noRoom(scratch, bytes, free);
        }
        Path temporary = scratch.resolve(prefix + UUID.randomUUID());
        Files.createDirectory(temporary);
        try {
            content.write(temporary.resolve(fileName));
            Files.move(temporary, folder, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            delete(temporary);
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> deepestFirst;
        try (Stream<Path> files = Files.walk(folder)) {
            deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path file : deepestFirst) {
            Files.deleteIfExists(file);
        }
    }
}
