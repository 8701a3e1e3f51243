package org.potstill.cli;

import org.potstill.spark.Settings;
import org.potstill.spark.inspect.Selection;
import picocli.CommandLine.Option;

/** Which labels of the cache a command is about: all that are not excluded. */
final class SelectionOptions {
    @Option(names = "--teacher", paramLabel = "FINGERPRINT", defaultValue = "",
            description = "Only this teacher's labels; the beginning of its fingerprint will do.")
    private String teacher;

    @Option(names = "--spec", paramLabel = "NAME", defaultValue = "", description = "Only labels of this target specification, such as top-32.")
    private String targets;

    Selection of(Settings settings) {
        return new Selection(settings.required("cache.path"), teacher, targets);
    }
}
