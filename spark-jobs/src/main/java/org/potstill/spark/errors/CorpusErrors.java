// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.util.Arrays;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.commons.lang3.StringUtils;
import org.potstill.errors.UserException;

/** User errors about the corpus; see {@link JobErrors}. */
public final class CorpusErrors {
    private CorpusErrors() {
    }

    /** @param searched whether markers tell where responses are */
    public static UserException nothingToLearn(boolean searched) {
        if (!searched) {
            return new UserException("nothing to learn from", "no document is a conversation in which the assistant says something, and "
                    + "train.learn-from asks for responses", "set train.learn-from = everything; for conversations see corpus.conversations (label "
                    + "them again if that was done by an earlier version); for texts rendered by a chat template set train.response-start");
        }
        return new UserException("nothing to learn from", "no document contains train.response-start with a response after it",
                "compare it with the corpus: white space and line breaks count, and \\n in a setting needs double quotes");
    }

    /** @param searched whether markers tell where responses are */
    public static UserException tooManyUnmarked(long unmarked, long documents, double limit, boolean searched) {
        if (!searched) {
            return new UserException("too few documents contain a response", unmarked + " of " + documents + " documents are not conversations in "
                    + "which the assistant says something; train.max-unmarked-share allows " + limit,
                    "remove them from the corpus, raise train.max-unmarked-share, or set train.learn-from = everything");
        }
        return new UserException("too few documents contain a response",
                unmarked + " of " + documents + " documents do not contain train.response-start; train.max-unmarked-share allows " + limit,
                "compare the marker with the corpus (white space and line breaks count), or raise train.max-unmarked-share");
    }

    public static UserException emptyCorpus(String path) {
        return emptyCorpus(path, "");
    }

    /** @param leftOut files that were found but skipped, if any */
    public static UserException emptyCorpus(String path, String leftOut) {
        return new UserException("the corpus is empty: " + path,
                "no document was found there" + (leftOut.isEmpty() ? "" : "; skipped: " + leftOut),
                "check corpus.path (a file, a folder or a glob) and corpus.format");
    }

    public static UserException noSuchCorpus(String path) {
        return new UserException("cannot read the corpus " + path, "no such file or folder, and nothing matches it as a glob",
                oneGlob(path).map(glob -> "corpus.path takes one path or one glob; for several paths set corpus.path = \"" + glob + "\"")
                        .orElse("check corpus.path (a file, a folder or a glob); a path without a scheme is on the cluster's default file "
                                + "system"));
    }

    public static UserException badGlob(String path, Throwable origin) {
        return new UserException("cannot read the corpus " + path, "no such file or folder, and as a glob it has an unclosed bracket or brace",
                "check corpus.path; a backslash takes the next character of a glob literally", origin);
    }

    /** Rewrites comma-separated paths as one glob; empty unless there are several, on the same file system. */
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
                "check corpus.path and the permissions of the user who runs the job", origin);
    }

    /**
     * @param kinds   each format with its number of files and an example
     * @param formats as corpus.format spells them
     * @param globs   one per format, matching its files
     */
    public static UserException mixedCorpus(String path, Collection<String> kinds, Collection<String> formats, Collection<String> globs) {
        return new UserException("cannot tell the format of the corpus " + path, "its files are " + String.join(" and ", kinds),
                "set corpus.format to " + String.join(" or ", formats) + ", which skips the others, or corpus.path to a glob such as "
                        + String.join(" or ", globs));
    }

    public static UserException unknownEndings(String path, Collection<String> endings) {
        return new UserException("cannot tell the format of the corpus " + path,
                "corpus.format = auto does not recognise the file extensions: " + String.join("; ", endings),
                "set corpus.format to text, jsonl or parquet if the files have that format, or else convert them to one of these");
    }

    /** @param setting the setting that names the folder in which the corpus is */
    public static UserException corpusIsOwn(String path, String setting, String folder) {
        return new UserException("the corpus " + path + " has no files apart from those in " + setting,
                setting + " = " + folder + ", and Potstill's own files there cannot be told from documents",
                "set corpus.path and " + setting + " to paths outside each other");
    }

    public static UserException corpusIsTable(String path, String named, String table) {
        return new UserException("the corpus " + path + " is or contains " + named + ": " + table,
                "only the table's log says which files belong to it; reading the files directly would include deleted and replaced rows",
                "export the table's rows to a separate folder, for instance with spark.table(...).write.parquet(...), and set corpus.path "
                        + "to it");
    }

    /**
     * @param settings those that name the columns
     * @param file     an example of a file without one of them
     */
    public static UserException noSuchColumn(String path, String settings, String why, String file) {
        return new UserException("the corpus " + path + " does not have the columns of " + settings, why + " (in " + file + ")",
                "set corpus.text-field (and corpus.id-field); write a column inside a struct with a dot: doc.text");
    }

    public static UserException noIds(String path, String field, long documents) {
        return new UserException("no document of the corpus " + path + " has an id in '" + field + "'",
                "none of its " + documents + " documents has this field, column or partition folder; text files have none",
                "set corpus.id-field to the one with the id, or leave it empty: then file and position are the id");
    }

    /** @param reasons the most common ones, with counts */
    public static UserException tooManyBadDocuments(long bad, long documents, double limit, String reasons, String quarantine) {
        return new UserException(bad + " of " + documents + " documents cannot be used",
                reasons + "; corpus.max-bad-share allows " + limit + "; the quarantine lists the reason for each document: " + quarantine,
                "fix the corpus or the settings that read it (corpus.format, corpus.text-field), or raise corpus.max-bad-share if you can "
                        + "do without these documents");
    }

    /** @param reasons the most common ones, with counts */
    public static UserException noUsableDocument(String path, String reasons) {
        return new UserException("no document of the corpus " + path + " can be used", reasons,
                "fix the corpus or the settings that read it (corpus.format, corpus.text-field)");
    }

    public static UserException nothingToTrainOn(String path) {
        return new UserException("the corpus " + path + " leaves nothing to train on",
                "apart from held-out documents, none that can be used has two tokens or more", "add documents or lower corpus.holdout");
    }
}
