// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.util.Iterator;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;

/** A writer that dies, with all that its process has open, after more than a row group went into its file. */
final class HalfAFile {
    private static final int ROWS = 36;

    private HalfAFile() {
    }

    /** @param arguments folder, then Hadoop settings as key=value */
    public static void main(String[] arguments) {
        Configuration hadoop = new Configuration();
        for (int i = 1; i < arguments.length; i++) {
            hadoop.set(arguments[i].substring(0, arguments[i].indexOf('=')), arguments[i].substring(arguments[i].indexOf('=') + 1));
        }
        new ShardWriter(arguments[0], Rows.LABELS, "").write("half a file", rows(() -> Runtime.getRuntime().halt(9)), hadoop);
    }

    /** Rows of a megabyte each, then what shall happen in the middle of the file. */
    static Iterator<LabelledSequence> rows(Runnable then) {
        return IntStream.rangeClosed(0, ROWS).peek(i -> {
            if (i == ROWS) {
                then.run();
            }
        }).mapToObj(i -> Rows.one(i, 1 << 20)).iterator();
    }
}
