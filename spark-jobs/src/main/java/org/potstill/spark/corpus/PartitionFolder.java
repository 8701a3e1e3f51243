// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.Optional;
import org.apache.hadoop.fs.Path;

/** Folders named {@code column=value}, as Hive and Spark lay out tables. */
final class PartitionFolder {
    private static final String NULL = "__HIVE_DEFAULT_PARTITION__";

    private PartitionFolder() {
    }

    /** The value of a column in the path of a file. */
    static Optional<String> value(String path, String column) {
        String begin = "/" + column + "=";
        int at = column.isEmpty() ? -1 : path.lastIndexOf(begin);
        int end = at < 0 ? -1 : path.indexOf('/', at + begin.length());
        if (end < 0) {
            return Optional.empty();
        }
        String value = unescape(path.substring(at + begin.length(), end));
        return value.equals(NULL) ? Optional.empty() : Optional.of(value);
    }

    private static String unescape(String value) {
        StringBuilder plain = new StringBuilder();
        for (int i = 0; i < value.length(); i++) {
            int code = value.charAt(i) == '%' && i + 2 < value.length()
                    ? Character.digit(value.charAt(i + 1), 16) * 16 + Character.digit(value.charAt(i + 2), 16) : -1;
            boolean escaped = code >= 0 && Character.digit(value.charAt(i + 2), 16) >= 0 && Character.digit(value.charAt(i + 1), 16) >= 0;
            plain.append(escaped ? (char) code : value.charAt(i));
            i += escaped ? 2 : 0;
        }
        return plain.toString();
    }

    static boolean is(Path folder) {
        return folder.getName().indexOf('=') > 0;
    }
}
