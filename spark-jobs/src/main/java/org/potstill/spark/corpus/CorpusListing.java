// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.checkpoints.io.FileSignature;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The list of a corpus's files.
 *
 * @param files  to read, in the order of their paths
 * @param format of all of them
 */
record CorpusListing(List<CorpusFile> files, FileFormat format) {
    private static final Logger LOG = LoggerFactory.getLogger(CorpusListing.class);
    /** Metadata files of Hugging Face Hub data sets. */
    private static final Set<String> DESCRIPTIONS = Set.of("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json");
    private static final Pattern ABOUT = Pattern.compile("(readme|licen[cs]e|notice|citation|changelog|contributing)(\\..*)?", Pattern.CASE_INSENSITIVE);
    private static final int NAMED_ENDINGS = 6;

    /** @param format null to detect it by file extension */
    static CorpusListing of(String path, FileFormat format, Settings settings, JavaSparkContext sc) {
        Configuration hadoop = sc.hadoopConfiguration();
        try {
            Path given = PathPattern.literal(path);
            FileSystem fs = CorpusFile.fileSystem(given, hadoop);
            LeftOut leftOut = new LeftOut();
            List<FileStatus> roots = PathPattern.match(fs, given, leftOut);
            if (roots.isEmpty()) {
                throw leftOut.isEmpty() ? CorpusErrors.noSuchCorpus(path) : CorpusErrors.emptyCorpus(path, leftOut.toString());
            }
            return new Selection(path, fs, hadoop, leftOut, new OwnFolders(settings, sc.getConf(), fs, hadoop)).select(roots, format);
        } catch (IOException | IllegalArgumentException e) {
            throw CorpusErrors.missingCorpus(path, e);
        }
    }

    /** The choice of files to read; counts the rest. */
    private static final class Selection {
        private final String path;
        private final FileTree tree;
        private final FileSystem fs;
        private final Configuration hadoop;
        private final LeftOut leftOut;
        private final OwnFolders ownFolders;

        Selection(String path, FileSystem fs, Configuration hadoop, LeftOut leftOut, OwnFolders ownFolders) {
            this.path = path;
            this.fs = fs;
            this.hadoop = hadoop;
            this.leftOut = leftOut;
            this.ownFolders = ownFolders;
            this.tree = new FileTree(fs);
        }

        CorpusListing select(List<FileStatus> roots, FileFormat format) throws IOException {
            List<CorpusFile> visible = list(roots);
            FileFormat chosen = format == null ? byEndings(visible) : format;
            List<CorpusFile> files = distinct(format == null ? readable(visible) : asTold(visible, format));
            if (files.isEmpty()) {
                throw CorpusErrors.emptyCorpus(path, leftOut.toString());
            }
            if (!leftOut.isEmpty()) {
                LOG.warn("skipped in the corpus {}: {}", path, leftOut);
            }
            LOG.info("the corpus {}: {} files, {} bytes, read as {}", path, files.size(),
                    files.stream().mapToLong(CorpusFile::bytes).sum(), chosen.setting());
            return new CorpusListing(files, chosen);
        }

        private List<CorpusFile> list(List<FileStatus> roots) throws IOException {
            Map<String, CorpusFile> found = new TreeMap<>();
            Set<Path> folders = new HashSet<>();
            Optional<OwnFolders.Own> anyOwn = Optional.empty();
            for (FileStatus root : roots) {
                refuseTable(TableFolder.around(fs, root, folders));
                String begin = root.getPath().toString();
                for (CorpusFile file : tree.list(root)) {
                    Optional<OwnFolders.Own> own = ownFolders.of(file.path(), root.getPath());
                    if (own.isPresent()) {
                        anyOwn = own;
                        leftOut.add("in " + own.get().setting() + " = " + own.get().path(), file.path());
                        continue;
                    }
                    refuseTable(TableFolder.ofLog(file.path()));
                    if (hidden(file.path().substring(Math.min(file.path().length(), begin.length())))) {
                        leftOut.add(LeftOut.HIDDEN, file.path());
                    } else if (file.bytes() == 0 && file.problem() == null) {
                        leftOut.add("without content", file.path());
                    } else {
                        found.put(file.path(), file);
                    }
                }
            }
            if (found.isEmpty() && anyOwn.isPresent()) {
                throw CorpusErrors.corpusIsOwn(path, anyOwn.get().setting(), anyOwn.get().path().toString());
            }
            return new ArrayList<>(found.values());
        }

        private void refuseTable(Optional<TableFolder> table) {
            if (table.isPresent()) {
                throw CorpusErrors.corpusIsTable(path, table.get().named(), table.get().format(), table.get().path());
            }
        }

        /** Whether it is hidden, as for Spark and Hive: a name, or that of a folder above, begins with {@code _} or {@code .}. */
        private static boolean hidden(String below) {
            return below.startsWith("/") && Arrays.stream(below.split("/")).anyMatch(PathPattern::isHidden);
        }

        private FileFormat byEndings(List<CorpusFile> files) throws IOException {
            if (files.size() > 1) {
                files.removeIf(file -> leaveOut(DESCRIPTIONS.contains(file.name().toLowerCase(Locale.ROOT)), "with the description of a data set", file));
            }
            Map<FileFormat, List<CorpusFile>> formats = formats(files);
            if (formats.size() > 1) {
                files.removeIf(file -> leaveOut(ABOUT.matcher(file.name()).matches(), "about the corpus", file));
                formats = formats(files);
            }
            if (formats.size() > 1) {
                throw CorpusErrors.mixedCorpus(path, formats.entrySet().stream().map(entry -> entry.getValue().size() + " of "
                        + entry.getKey().setting() + " (" + entry.getValue().get(0).path() + ")").toList(),
                        formats.keySet().stream().map(FileFormat::setting).toList(), formats.values().stream().map(Selection::glob).toList());
            } else if (formats.isEmpty()) {
                throw nothingKnown(files);
            }
            return formats.keySet().iterator().next();
        }

        private UserException nothingKnown(List<CorpusFile> files) throws IOException {
            List<CorpusFile> unknown = files.stream().filter(file -> file.problem() == null).toList();
            if (!unknown.isEmpty()) {
                List<FileSignature> formats = unknown.stream().limit(NAMED_ENDINGS).flatMap(file -> signature(file).stream()).toList();
                boolean pointers = !formats.isEmpty() && formats.stream().allMatch(FileSignature::isPointer);
                return CorpusErrors.unknownEndings(path, endings(unknown), pointers);
            }
            return files.isEmpty() ? CorpusErrors.emptyCorpus(path, leftOut.toString())
                    : CorpusErrors.missingCorpus(files.get(0).path(), new IOException(files.get(0).problem()));
        }

        /** Suggests a glob that matches the first file, whatever characters the names of its folders contain. */
        private static String glob(List<CorpusFile> files) {
            CorpusFile first = files.get(0);
            String folder = first.path().substring(0, first.path().lastIndexOf('/'));
            return folder.replaceAll("[\\[\\]{}*?\\\\]", "?") + "/*" + FileFormat.fullEnding(first.name());
        }

        private boolean leaveOut(boolean whether, String reason, CorpusFile file) {
            if (whether) {
                leftOut.add(reason, file.path());
            }
            return whether;
        }

        private static Map<FileFormat, List<CorpusFile>> formats(List<CorpusFile> files) {
            return files.stream().filter(file -> FileFormat.of(file.name()).isPresent())
                    .collect(Collectors.groupingBy(file -> FileFormat.of(file.name()).orElseThrow(), TreeMap::new, Collectors.toList()));
        }

        /** Lists extensions with their counts, and the format of an example of each by its first bytes. */
        private List<String> endings(List<CorpusFile> files) throws IOException {
            List<String> named = new ArrayList<>();
            Map<String, List<CorpusFile>> endings = files.stream()
                    .collect(Collectors.groupingBy(file -> FileFormat.ending(file.name()), TreeMap::new, Collectors.toList()));
            for (Map.Entry<String, List<CorpusFile>> ending : endings.entrySet()) {
                CorpusFile example = ending.getValue().get(0);
                String what = named.size() < NAMED_ENDINGS ? signature(example).map(signature -> ", which is " + signature.named()).orElse("") : "";
                named.add(ending.getKey() + ": " + ending.getValue().size() + (ending.getValue().size() == 1 ? " (" : " (such as ")
                        + example.path() + what + ")");
            }
            return named.size() <= NAMED_ENDINGS ? named : named.subList(0, NAMED_ENDINGS);
        }

        private Optional<FileSignature> signature(CorpusFile file) {
            try (InputStream in = file.open(hadoop)) {
                return Encoding.signature(in.readNBytes(FileSignature.BYTES));
            } catch (IOException | RuntimeException e) {
                return Optional.empty();
            }
        }

        /** Keeps files with an extension that is read, and files whose problem is not their extension. */
        private List<CorpusFile> readable(List<CorpusFile> files) {
            files.removeIf(file -> leaveOut(FileFormat.of(file.name()).isEmpty() && !(file.problem() != null && isNameless(file)),
                    "with the extension " + FileFormat.ending(file.name()) + ", which corpus.format = auto does not read", file));
            return files;
        }

        /** Whether it has no extension, as an unlistable folder has. */
        private static boolean isNameless(CorpusFile file) {
            return FileFormat.ending(file.name()).equals("(none)");
        }

        /** Keeps the files for the format that the user set: skips other known extensions if some files have a matching one. */
        private List<CorpusFile> asTold(List<CorpusFile> files, FileFormat format) {
            boolean open = format == FileFormat.TEXT;
            boolean fit = files.stream().map(file -> FileFormat.of(file.name())).anyMatch(known -> known.isEmpty() ? open : known.get() == format);
            if (fit) {
                files.removeIf(file -> leaveOut(!FileFormat.of(file.name()).map(known -> known == format).orElse(open || file.problem() != null),
                        "with the extension " + FileFormat.ending(file.name()) + ", while others match corpus.format = "
                        + format.setting(), file));
            }
            return files;
        }

        /** Drops further names of the same file, reached through links. */
        private List<CorpusFile> distinct(List<CorpusFile> files) {
            Set<String> seen = new HashSet<>();
            return files.stream().filter(file -> !leaveOut(!seen.add(tree.identity(file)), "that other names lead to, too", file)).toList();
        }
    }
}
