// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.potstill.spark.Sessions;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.export.ExportFormat;
import org.potstill.spark.export.StudentExport;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "export", description = {
    "Writes the student in a format that other software loads, and measures how far the export is from it.", "",
    "hf: a folder for transformers' AutoModelForCausalLM and AutoTokenizer. onnx: model.onnx with a key-value cache, in the layout of "
        + "Hugging Face Optimum, for ONNX Runtime, transformers.js and others; in fp32 or int8. gguf: one file for "
        + "llama.cpp; in f16, q8_0 or fp32. All include the tokenizer, its chat template, all end tokens, a README.md that "
        + "says how the student was made, and a provenance.json.", "",
    "The export is read back and compared with the student: KL in nats per token, on --text, or else on held-out documents of "
        + "corpus.path, or else on Potstill's own text."},
    footer = {"", "Needs student.path. Starts a Spark session only if it reads the corpus.", "",
        "Example:", "  potstill export --conf distil.conf --to hf --output s3a://lake/models/student",
        "  potstill export --conf distil.conf --to onnx --precision int8 --output student-onnx",
        "  potstill export --conf distil.conf --to gguf --output student.gguf"})
final class ExportCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Option(names = "--to", paramLabel = "FORMAT", required = true, description = "One of: ${COMPLETION-CANDIDATES}.")
    private ExportFormat format;

    @Option(names = "--precision", paramLabel = "PRECISION", description = "Storage type of matrices: fp32 or int8 for onnx "
        + "(default fp32); f16, q8_0 or fp32 for gguf (default f16).")
    private ExportFormat.Precision precision;

    @Option(names = "--output", paramLabel = "PATH", required = true,
            description = "An empty or new folder; for gguf a file NAME.gguf, beside which NAME.README.md and "
                + "NAME.provenance.json go. Any Hadoop path.")
    private String output;

    @Option(names = "--overwrite", description = "Replace an older export there.")
    private boolean overwrite;

    @Option(names = "--text", paramLabel = "FILE", description = "A text file to compare export and student on; any Hadoop path.")
    private String text;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Settings settings = options.load(List.of("--output"));
        StudentExport.Order order = new StudentExport.Order(format, precision, output, overwrite, text);
        Configuration hadoop = FileSystems.configuration(settings.spark());
        PathSettings.require(settings, hadoop);
        boolean corpus = text == null && Corpus.isNamed(settings);
        StudentExport.Made made = corpus
                ? Sessions.run(spec.name(), settings, spark -> new StudentExport(settings, spark.sparkContext().hadoopConfiguration(),
                        Optional.of(spark)).run(order))
                : new StudentExport(settings, hadoop, Optional.empty()).run(order);
        PrintWriter out = spec.commandLine().getOut();
        describe(made).forEach(out::println);
        out.flush();
        return 0;
    }

    /** Says where an export is and how near it is to the student, in lines. */
    static List<String> describe(StudentExport.Made made) {
        List<String> lines = new ArrayList<>(List.of(
                String.format(Locale.ROOT, "the student is in %s (%,d bytes)", made.path(), made.bytes()),
                "KL to the student: " + made.fidelity().describe()));
        made.remarks().forEach(remark -> lines.add("note: " + remark));
        return lines;
    }
}
