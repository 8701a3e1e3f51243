// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobExpander;
import org.apache.hadoop.fs.GlobFilter;
import org.apache.hadoop.fs.Path;
import org.potstill.spark.errors.CorpusErrors;

/**
 * The matching of the user's path: literally if it exists, or else as a glob. Hadoop's own globs fail on file names with
 * colons.
 */
final class PathPattern {
    private PathPattern() {
    }

    /** Returns the path of that literal name, whatever characters it contains. */
    static Path literal(String path) {
        try {
            return new Path(path);
        } catch (IllegalArgumentException e) {
            if (path.contains("://")) {
                throw e;
            }
            // Otherwise the part before a colon is taken for a scheme.
            return new Path(null, null, path);
        }
    }

    /**
     * Finds the files and folders that match.
     *
     * @param leftOut receives hidden ones that the pattern does not spell out
     * @return matches sorted by path, each once
     */
    static List<FileStatus> match(FileSystem fs, Path path, LeftOut leftOut) throws IOException {
        Optional<FileStatus> named = status(fs, path);
        if (named.isPresent()) {
            return List.of(named.get());
        }
        Map<String, FileStatus> matched = new LinkedHashMap<>();
        URI uri = path.toUri();
        // Expand before making it absolute: alternatives may be absolute themselves.
        for (String alternative : alternatives(uri.getPath())) {
            for (FileStatus status : walk(fs, fs.makeQualified(new Path(uri.getScheme(), uri.getAuthority(), alternative)), leftOut)) {
                matched.put(status.getPath().toString(), status);
            }
        }
        return matched.values().stream().sorted(Comparator.comparing(status -> status.getPath().toString())).toList();
    }

    private static List<String> alternatives(String path) {
        try {
            List<String> expanded = GlobExpander.expand(path);
            for (String alternative : expanded) {
                for (String name : alternative.split("/")) {
                    new GlobFilter(name);
                }
            }
            return expanded;
        } catch (IOException e) {
            throw CorpusErrors.badGlob(path, e);
        }
    }

    private static List<FileStatus> walk(FileSystem fs, Path pattern, LeftOut leftOut) throws IOException {
        String[] names = Arrays.stream(pattern.toUri().getPath().split("/")).filter(name -> !name.isEmpty()).toArray(String[]::new);
        List<Path> reached = List.of(new Path(pattern.toUri().getScheme(), pattern.toUri().getAuthority(), "/"));
        List<FileStatus> matched = List.of();
        boolean listed = false;
        for (String name : names) {
            GlobFilter filter = new GlobFilter(name);
            matched = new ArrayList<>();
            List<Path> next = new ArrayList<>();
            for (Path folder : reached) {
                if (filter.hasPattern()) {
                    for (FileStatus child : children(fs, folder)) {
                        if (!filter.accept(child.getPath())) {
                            continue;
                        } else if (isHidden(child.getPath().getName()) && !isHidden(name)) {
                            leftOut.add(LeftOut.HIDDEN, child.getPath().toString());
                            continue;
                        }
                        matched.add(child);
                        next.add(child.getPath());
                    }
                } else {
                    next.add(new Path(folder, new Path(null, null, name.replaceAll("\\\\(.)", "$1"))));
                }
            }
            listed = filter.hasPattern();
            reached = next;
        }
        if (!listed) {
            matched = new ArrayList<>();
            for (Path path : reached) {
                status(fs, path).ifPresent(matched::add);
            }
        }
        return matched;
    }

    static boolean isHidden(String name) {
        return name.startsWith("_") || name.startsWith(".");
    }

    private static Optional<FileStatus> status(FileSystem fs, Path path) throws IOException {
        try {
            return Optional.of(fs.getFileStatus(path));
        } catch (FileNotFoundException e) {
            return Optional.empty();
        }
    }

    /** Lists a folder; empty if it does not exist or is not a folder. */
    static FileStatus[] children(FileSystem fs, Path folder) throws IOException {
        try {
            // A file lists itself.
            return Arrays.stream(fs.listStatus(folder)).filter(child -> !child.getPath().equals(folder)).toArray(FileStatus[]::new);
        } catch (FileNotFoundException e) {
            return new FileStatus[0];
        }
    }
}
