// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.RemoteIterator;
import org.potstill.checkpoints.io.FileSignature;
import org.potstill.checkpoints.io.PointerFile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A recursive listing of files, which uses flat, paged listings on object stores. */
final class FileTree {
    private static final Logger LOG = LoggerFactory.getLogger(FileTree.class);
    private static final long SECONDS_BETWEEN_WORDS = 10;

    private final FileSystem fs;
    private List<CorpusFile> files = new ArrayList<>();
    private long listed;
    private long told = System.nanoTime();

    FileTree(FileSystem fs) {
        this.fs = fs;
    }

    /**
     * Lists a file or folder.
     *
     * @return the file itself, or those below the folder, sorted by path
     */
    List<CorpusFile> list(FileStatus found) throws IOException {
        files = new ArrayList<>();
        if (found.isFile()) {
            add(new CorpusFile(found.getPath().toString(), found.getLen(), found.getModificationTime()));
        } else if (fs instanceof RawLocalFileSystem) {
            addLocal(found.getPath());
        } else {
            RemoteIterator<LocatedFileStatus> below = fs.listFiles(found.getPath(), true);
            while (below.hasNext()) {
                LocatedFileStatus file = below.next();
                add(new CorpusFile(file.getPath().toString(), file.getLen(), file.getModificationTime()));
            }
        }
        files.sort(Comparator.comparing(CorpusFile::path));
        return files;
    }

    private void add(CorpusFile file) {
        files.add(file);
        listed++;
        if (System.nanoTime() - told > SECONDS_BETWEEN_WORDS * 1_000_000_000L) {
            told = System.nanoTime();
            LOG.info("listing the corpus: {} files so far", listed);
        }
    }

    /** Lists a local folder with java.nio, since Hadoop follows circular links and ignores broken ones. */
    private void addLocal(Path folder) throws IOException {
        Files.walkFileTree(Paths.get(folder.toUri().getPath()), EnumSet.of(FileVisitOption.FOLLOW_LINKS), Integer.MAX_VALUE,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(java.nio.file.Path file, BasicFileAttributes attributes) {
                        String problem = attributes.isRegularFile() ? null
                                : attributes.isSymbolicLink() ? brokenLink(file) : "not a regular file";
                        add(new CorpusFile(name(file), attributes.isRegularFile() ? attributes.size() : 1, attributes.lastModifiedTime().toMillis(), problem));
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFileFailed(java.nio.file.Path file, IOException failure) {
                        // A circular link: its target is listed at its own path.
                        if (!(failure instanceof java.nio.file.FileSystemLoopException)) {
                            add(new CorpusFile(name(file), 1, 0, "cannot be read: " + failure));
                        }
                        return FileVisitResult.CONTINUE;
                    }
                });
    }

    private static String brokenLink(java.nio.file.Path link) {
        try {
            return PointerFile.isAnnexed(Files.readSymbolicLink(link)) ? FileSignature.ANNEX_POINTER.named() : "a broken link";
        } catch (IOException e) {
            return "a broken link";
        }
    }

    private static String name(java.nio.file.Path file) {
        return new Path("file", null, file.toString()).toString();
    }

    /** Identifies the file behind a name, with links resolved: equal for all names of one file. */
    String identity(CorpusFile file) {
        if (!(fs instanceof RawLocalFileSystem) || file.problem() != null) {
            return file.path();
        }
        try {
            return Paths.get(new Path(file.path()).toUri().getPath()).toRealPath().toString();
        } catch (IOException e) {
            return file.path();
        }
    }
}
