package org.potstill.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.potstill.spark.Sessions;
import org.potstill.spark.Settings;
import org.potstill.spark.export.ExportFormat;
import org.potstill.spark.export.StudentExport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "export", description = {
    "Writes the student as others load it, and says how far that is from the student.", "",
    "hf: a folder for transformers' AutoModelForCausalLM and AutoTokenizer. onnx: model.onnx with a cache of keys and values, as "
        + "Hugging Face Optimum lays it out, for ONNX Runtime, transformers.js and others; in fp32 or int8. gguf: one file for "
        + "llama.cpp; in f16, q8_0 or fp32. All with the tokenizer, its chat template, all tokens that end a text, a README.md that "
        + "says what the student was made of, and a provenance.json.", "",
    "The export is read back and compared with the student: KL in nats per token, on --text or else on held-out documents of "
        + "corpus.path or else, where neither is given, on a text of Potstill's own."},
    footer = {"", "Needs student.path. A Spark session is begun only where the corpus is read.", "",
        "Example:", "  potstill export --conf distil.conf --to hf --output s3a://lake/models/student",
        "  potstill export --conf distil.conf --to onnx --precision int8 --output student-onnx",
        "  potstill export --conf distil.conf --to gguf --output student.gguf"})
final class ExportCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Option(names = "--to", paramLabel = "FORMAT", required = true, description = "One of: ${COMPLETION-CANDIDATES}.")
    private ExportFormat format;

    @Option(names = "--precision", paramLabel = "PRECISION", description = "Numbers that matrices are stored in: fp32 or int8 for onnx "
        + "(fp32), f16, q8_0 or fp32 for gguf (f16).")
    private ExportFormat.Precision precision;

    @Option(names = "--output", paramLabel = "PATH", required = true,
            description = "An empty folder, or one to be; for gguf a file NAME.gguf, beside which NAME.README.md and "
                + "NAME.provenance.json go. Any Hadoop path.")
    private String output;

    @Option(names = "--overwrite", description = "Replace what an older export left there.")
    private boolean overwrite;

    @Option(names = "--text", paramLabel = "FILE", description = "A text file to compare export and student on; any Hadoop path.")
    private String text;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Settings settings = options.load();
        StudentExport.Order order = new StudentExport.Order(format, precision, output, overwrite, text);
        boolean corpus = text == null && !settings.string("corpus.path").isBlank();
        StudentExport.Made made = corpus
                ? Sessions.run(spec.name(), settings, spark -> new StudentExport(settings, spark.sparkContext().hadoopConfiguration(),
                        Optional.of(spark)).run(order))
                : new StudentExport(settings, Sessions.hadoop(settings), Optional.empty()).run(order);
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
