// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import org.potstill.spark.inspect.Selection;
import org.potstill.spark.settings.Settings;
import picocli.CommandLine.Option;

/** Options that select which of the cache's labels a command works on; all by default. */
final class SelectionOptions {
    @Option(names = "--teacher", paramLabel = "FINGERPRINT", defaultValue = "",
            description = "Only this teacher's labels; a prefix of its fingerprint is enough.")
    private String teacher;

    @Option(names = "--spec", paramLabel = "NAME", defaultValue = "", description = "Only labels of this target specification, such as top-32.")
    private String targets;

    Selection selection(Settings settings) {
        return new Selection(settings.required("cache.path"), teacher, targets);
    }
}
