// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.inspect.CacheSummary;
import org.potstill.spark.inspect.DecodedSequence;
import org.potstill.spark.inspect.InspectJob;
import org.potstill.spark.inspect.InspectText;
import org.potstill.spark.inspect.Selection;
import org.potstill.spark.inspect.SequenceJob;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "inspect", description = {
    "Shows what the cache holds: where it came from, rows and bytes, and the teacher's perplexity and entropy.", "",
    "With --key or --document, shows one sequence instead: each target token, its probability under the teacher, and what the "
        + "teacher considered most probable. Where a probability is '-', the cache does not list the token."},
    footer = {"", "Needs cache.path.", "",
        "Example:", "  potstill cache inspect --conf distil.conf", "  potstill cache inspect --set cache.path=s3a://lake/cache --key 3f"})
final class CacheInspectCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Mixin
    private SelectionOptions labels;

    @Option(names = "--json", description = "For machines.")
    private boolean json;

    @Option(names = "--key", paramLabel = "PREFIX", description = "Show the sequence whose key has this prefix.")
    private String key;

    @Option(names = "--document", paramLabel = "ID", description = "Show a sequence of this document.")
    private String document;

    @Option(names = "--sequence", paramLabel = "N", defaultValue = "0", description = "Which one of the document, from 0 (the default).")
    private int sequence;

    @Option(names = "--limit", paramLabel = "N", defaultValue = "40", description = "Positions of the sequence to show (default 40).")
    private int limit;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (key != null && document != null) {
            throw new ParameterException(spec.commandLine(), "--key and --document exclude each other");
        }
        if (limit < 1) {
            throw new ParameterException(spec.commandLine(), "--limit must be 1 or more");
        }
        Settings settings = options.load(List.of());
        Selection selection = labels.selection(settings);
        String text = Sessions.run("cache inspect", settings, spark -> key == null && document == null
                ? summaries(spark, selection) : sequence(new SequenceJob(spark, selection, limit)));
        spec.commandLine().getOut().println(text);
        spec.commandLine().getOut().flush();
        return 0;
    }

    private String summaries(SparkSession spark, Selection selection) {
        List<CacheSummary> summaries = new InspectJob(spark, selection).run();
        return json ? json(summaries) : InspectText.of(summaries);
    }

    private String sequence(SequenceJob job) {
        DecodedSequence found = key != null ? job.byKey(key) : job.ofDocument(document, sequence);
        return json ? json(found) : InspectText.of(found);
    }

    /** In ASCII: what the texts hold cannot reach a terminal. */
    private static String json(Object value) {
        try {
            return HadoopFolder.JSON.writer().with(JsonWriteFeature.ESCAPE_NON_ASCII).writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
