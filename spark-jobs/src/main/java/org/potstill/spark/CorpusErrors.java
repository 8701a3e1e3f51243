package org.potstill.spark;

import java.util.Arrays;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.commons.lang3.StringUtils;
import org.potstill.errors.UserException;

/** User errors about the text to read and to learn from, see {@link JobErrors}. */
public final class CorpusErrors {
    private CorpusErrors() {
    }

    public static UserException nothingToLearn() {
        return new UserException("nothing to learn from", "no document holds what train.response-start says and a response after it",
                "compare it with the corpus: white space and line breaks count, and \\n in a setting needs double quotes");
    }

    public static UserException tooManyUnmarked(long unmarked, long documents, double limit) {
        return new UserException("too few documents hold a response",
                unmarked + " of " + documents + " documents do not hold what train.response-start says; train.max-unmarked-share allows "
                        + limit,
                "compare the marker with the corpus: white space and line breaks count; or raise train.max-unmarked-share");
    }

    public static UserException emptyCorpus(String path) {
        return emptyCorpus(path, "");
    }

    /** @param leftOut what is there and was not read, if anything */
    public static UserException emptyCorpus(String path, String leftOut) {
        return new UserException("the corpus is empty: " + path,
                "no document was found there" + (leftOut.isEmpty() ? "" : "; left out: " + leftOut),
                "check corpus.path (a file, a folder or a glob) and corpus.format");
    }

    public static UserException noSuchCorpus(String path) {
        return new UserException("cannot read the corpus " + path, "there is no such file or folder, and no match for it as a glob",
                oneGlob(path).map(glob -> "corpus.path is one path or one glob; of several paths: corpus.path = \"" + glob + "\"")
                        .orElse("check corpus.path (a file, a folder or a glob); without a scheme it is on the cluster's default file system"));
    }

    /** Several paths with commas between them as one glob; nothing when they are not, or have no file system in common. */
    private static Optional<String> oneGlob(String paths) {
        String[] parts = paths.split("\\s*,\\s*");
        String common = paths.contains("{") || parts.length < 2 ? "" : StringUtils.getCommonPrefix(parts);
        int folder = common.lastIndexOf('/') + 1;
        boolean apart = paths.contains("{") || parts.length < 2 || paths.contains("://") && common.indexOf('/', common.indexOf("://") + 3) < 0;
        return apart ? Optional.empty() : Optional.of(common.substring(0, folder)
                + Arrays.stream(parts).map(part -> part.substring(folder)).collect(Collectors.joining(",", "{", "}")));
    }

    public static UserException missingCorpus(String path, Throwable origin) {
        return new UserException("cannot read the corpus " + path, String.valueOf(origin.getMessage()),
                "check corpus.path and the access rights of the user who runs the job", origin);
    }

    /**
     * @param kinds   formats with the number of their files, and one by name
     * @param formats as corpus.format spells them
     * @param globs   one for files of each
     */
    public static UserException mixedCorpus(String path, Collection<String> kinds, Collection<String> formats, Collection<String> globs) {
        return new UserException("cannot tell the format of the corpus " + path, "its files are " + String.join(" and ", kinds),
                "set corpus.format to " + String.join(" or ", formats) + ", which leaves the others out, or corpus.path to a glob such as "
                        + String.join(" or ", globs));
    }

    public static UserException unknownEndings(String path, Collection<String> endings) {
        return new UserException("cannot tell the format of the corpus " + path,
                "corpus.format = auto does not know the endings of its files: " + String.join("; ", endings),
                "set corpus.format to text, jsonl or parquet if that is what they hold; other formats must be converted to one of these first");
    }

    public static UserException corpusIsTable(String path, String format, String table) {
        return new UserException("the corpus " + path + " is, or holds, a table of the format " + format + ": " + table,
                "which of its files are in the table only its log tells; read as files they give deleted and replaced rows, too",
                "write the table's rows to a folder of their own, such as with spark.table(...).write.parquet(...), and give that as corpus.path");
    }

    /** @param file one that has not the column */
    public static UserException noSuchColumn(String path, String column, String why, String file) {
        return new UserException("the corpus " + path + " gives no text from '" + column + "'", why + "; so in " + file,
                "set corpus.text-field (and corpus.id-field); of a column in a struct, with a dot: doc.text");
    }

    /** @param reasons the commonest, with their counts */
    public static UserException tooManyBadDocuments(long bad, long documents, double limit, String reasons, String quarantine) {
        return new UserException(bad + " of " + documents + " documents cannot be used",
                reasons + "; corpus.max-bad-share allows " + limit + "; each document's reason is in the quarantine, " + quarantine,
                "correct the corpus or the settings by which it is read (corpus.format, corpus.text-field), or raise corpus.max-bad-share if "
                        + "that share may be lost");
    }

    public static UserException nothingToTrainOn(String path) {
        return new UserException("the corpus " + path + " gives nothing to train on",
                "no document outside the held-out ones has two tokens or more", "add documents or lower corpus.holdout");
    }
}
