// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.potstill.spark.Sessions;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.inspect.Problem;
import org.potstill.spark.inspect.Selection;
import org.potstill.spark.inspect.VerifyJob;
import org.potstill.spark.inspect.VerifySummary;
import org.potstill.spark.inspect.VerifyText;
import org.potstill.spark.settings.Settings;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "verify", description = {
    "Checks every row of the cache: its checksum, key, soft targets and duplicates, and that no row of the current snapshot is "
        + "missing. Reports the number of problems and the first of each kind, and exits with 2 if there are any.", "",
    "With --teacher or --sample, the teacher also scores some rows again, and the results must match."},
    footer = {"", "Needs cache.path.", "",
        "Example:", "  potstill cache verify --conf distil.conf", "  potstill cache verify --conf distil.conf --sample 100"})
final class CacheVerifyCommand implements Callable<Integer> {
    private static final int SAMPLE = 32;
    private static final int MAX_SAMPLE = 10_000;

    @Mixin
    private SettingsOptions options;

    @Option(names = "--spec", paramLabel = "NAME", defaultValue = "", description = "Only labels of this target specification, such as top-32.")
    private String targets;

    @Option(names = "--teacher", paramLabel = "PATH", description = "Score a sample of its labels again with this teacher (teacher.path).")
    private String teacher;

    @Option(names = "--sample", paramLabel = "N",
            description = "Rows of each specification to score again (" + SAMPLE + " where --teacher is given).")
    private Integer sample;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (sample != null && (sample < 0 || sample > MAX_SAMPLE)) {
            throw new ParameterException(spec.commandLine(), "--sample must lie between 0 and " + MAX_SAMPLE);
        }
        int rows = sample != null ? sample : teacher != null ? SAMPLE : 0;
        Settings loaded = options.load(List.of());
        Settings settings = teacher == null ? loaded : loaded.withTeacher(teacher);
        settings.require(rows > 0 ? List.of("cache.path", "teacher.path") : List.of("cache.path"));
        String cache = settings.string("cache.path");
        List<VerifySummary> summaries = Sessions.run("cache verify", settings,
                spark -> new VerifyJob(spark, settings, new Selection(cache, "", targets), rows).run());
        spec.commandLine().getOut().println(VerifyText.of(summaries));
        spec.commandLine().getOut().flush();
        Map<Problem.Kind, Long> problems = new TreeMap<>();
        summaries.forEach(summary -> summary.problems().forEach((kind, count) -> problems.merge(kind, count, Long::sum)));
        if (!problems.isEmpty()) {
            throw JobErrors.damagedCache(cache,
                    problems.entrySet().stream().map(p -> String.format(Locale.ROOT, "%,d %s", p.getValue(), p.getKey().what())).toList(),
                    problems.keySet().stream().map(Problem.Kind::remedy).distinct().toList());
        }
        return 0;
    }
}
