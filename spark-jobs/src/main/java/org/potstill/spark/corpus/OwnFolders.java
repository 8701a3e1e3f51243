// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsConstants;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.SparkConf;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The files and folders that settings name as Potstill's own, none of which holds documents. */
final class OwnFolders {
    private static final Logger LOG = LoggerFactory.getLogger(OwnFolders.class);
    private static final String EVENT_LOG = "spark.eventLog.dir";

    private final List<Own> all = new ArrayList<>();
    private final FileSystem fs;
    /** By the folder of a file, since a corpus has many files per folder. */
    private final Map<Path, Optional<Own>> ofFolders = new HashMap<>();

    /**
     * A file or folder.
     *
     * @param setting the setting that names it
     * @param path    qualified, with links resolved on local disks
     * @param written whether Potstill writes there, rather than only reads
     */
    record Own(String setting, Path path, boolean written) {
    }

    /** @param fs the corpus's file system; folders on others do not matter */
    OwnFolders(Settings settings, SparkConf spark, FileSystem fs, Configuration hadoop) {
        this.fs = fs;
        URI home = FileSystem.getDefaultUri(hadoop);
        PathSettings.WRITTEN.forEach(key -> add(key, settings.string(key), true, key.equals(PathSettings.SCRATCH) ? FsConstants.LOCAL_FS_URI : home));
        PathSettings.read(settings).stream().filter(key -> !key.equals("corpus.path")).forEach(key -> add(key, settings.string(key), false, home));
        if (spark.getBoolean("spark.eventLog.enabled", false)) {
            add(EVENT_LOG, spark.get(EVENT_LOG, ""), false, home);
        }
    }

    private void add(String setting, String path, boolean written, URI home) {
        if (!path.isBlank()) {
            try {
                all.add(new Own(setting, real(PathPattern.literal(path).makeQualified(home, fs.getWorkingDirectory())), written));
            } catch (IllegalArgumentException e) {
                LOG.debug("{} is not a path", setting, e);
            }
        }
    }

    /** Resolves links on local disks. */
    private Path real(Path path) {
        return fs instanceof RawLocalFileSystem ? FileSystems.canonical(path) : path;
    }

    /**
     * Finds what a file belongs to.
     *
     * @param root the part of the corpus in which it was found: a folder that is only read may contain a corpus
     */
    Optional<Own> of(String file, Path root) {
        Path path = new Path(file);
        return all.stream().filter(own -> own.path().equals(path)).findFirst()
                .or(() -> ofFolders.computeIfAbsent(path.getParent(), folder -> ofFolder(real(folder), real(root))));
    }

    private Optional<Own> ofFolder(Path folder, Path root) {
        return all.stream().filter(own -> above(folder).anyMatch(own.path()::equals))
                .filter(own -> own.written() || own.path().equals(root) && !own.setting().equals(PathSettings.ANSWERS)
                        || above(root).noneMatch(own.path()::equals)).findFirst();
    }

    private static Stream<Path> above(Path path) {
        return Stream.iterate(path, each -> each != null, Path::getParent);
    }
}
