// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** The formats of corpus files, with the extensions by which {@code corpus.format = auto} recognises them. */
enum FileFormat {
    TEXT("text", Set.of(".txt", ".text", ".md", ".markdown", ".rst", ".adoc", ".asciidoc", ".org", ".tex",
            // Source code.
            ".py", ".java", ".scala", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs", ".js", ".ts", ".jsx", ".tsx",
            ".rb", ".php", ".swift", ".lua", ".pl", ".sh", ".bash", ".sql", ".hs", ".ml", ".clj", ".ex", ".erl", ".dart", ".groovy")),
    JSONL("jsonl", Set.of(".jsonl", ".ndjson", ".jsonlines", ".jl", ".json")),
    PARQUET("parquet", Set.of(".parquet", ".pq", ".parq"));

    private static final Pattern COMPRESSION = Pattern.compile("\\.(gz|bgz|bz2|zst|zstd|xz|lz4|snappy|deflate|zlib)$", Pattern.CASE_INSENSITIVE);
    /** What TensorFlow Datasets and others append to the names of shards. */
    private static final Pattern SHARD = Pattern.compile("[-.]\\d{3,6}-of-\\d{3,6}$");

    private final String setting;
    private final Set<String> endings;

    FileFormat(String setting, Set<String> endings) {
        this.setting = setting;
        this.endings = endings;
    }

    /** Returns the value of {@code corpus.format} for it. */
    String setting() {
        return setting;
    }

    static boolean isCompressed(String name) {
        return COMPRESSION.matcher(whole(name)).find();
    }

    /** Returns the extension in lower case, ignoring that of a compression; "(none)" if there is none. */
    static String ending(String name) {
        String plain = plain(name).toLowerCase(Locale.ROOT);
        return plain.lastIndexOf('.') > 0 ? plain.substring(plain.lastIndexOf('.')) : "(none)";
    }

    private static String plain(String name) {
        return whole(COMPRESSION.matcher(whole(name)).replaceFirst(""));
    }

    private static String whole(String name) {
        return SHARD.matcher(name).replaceFirst("");
    }

    /** Returns a glob of the extension as it is written, with that of a compression and the numbers of shards; empty if there is none. */
    static String fullEnding(String name) {
        int dot = plain(name).lastIndexOf('.');
        return dot > 0 ? name.substring(dot).replaceAll("\\d+-of-\\d+", "*-of-*") : "";
    }

    static Optional<FileFormat> of(String name) {
        return Arrays.stream(values()).filter(format -> format.endings.contains(ending(name))).findFirst();
    }
}
