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

    private static final Pattern COMPRESSION = Pattern.compile("\\.(gz|bgz|bz2|zst|zstd|xz|lz4|snappy|deflate)$", Pattern.CASE_INSENSITIVE);

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
        return COMPRESSION.matcher(name).find();
    }

    /** Returns the extension in lower case, ignoring that of a compression; "(none)" if there is none. */
    static String ending(String name) {
        String plain = COMPRESSION.matcher(name).replaceFirst("").toLowerCase(Locale.ROOT);
        return plain.lastIndexOf('.') > 0 ? plain.substring(plain.lastIndexOf('.')) : "(none)";
    }

    /** Returns the extension as it is written, with that of a compression; empty if there is none. */
    static String fullEnding(String name) {
        int dot = COMPRESSION.matcher(name).replaceFirst("").lastIndexOf('.');
        return dot > 0 ? name.substring(dot) : "";
    }

    static Optional<FileFormat> of(String name) {
        return Arrays.stream(values()).filter(format -> format.endings.contains(ending(name))).findFirst();
    }
}
