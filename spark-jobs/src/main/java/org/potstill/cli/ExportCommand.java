package org.potstill.cli;

import java.util.concurrent.Callable;
import org.potstill.spark.Sessions;
import org.potstill.spark.Settings;
import org.potstill.spark.export.StudentExport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "export", description = {
    "Writes the student as others load it.", "",
    "hf: a folder for transformers' AutoModelForCausalLM and AutoTokenizer. onnx: model.onnx with a cache of keys and values, as "
        + "Hugging Face Optimum lays it out, for ONNX Runtime, transformers.js and others. Both with the tokenizer, its chat template, "
        + "and a README.md that says what the student was made of."},
    footer = {"", "Needs student.path. No cluster is started.", "",
        "Example:", "  potstill export --conf distil.conf --to hf --output s3a://lake/models/student",
        "  potstill export --conf distil.conf --to onnx --output student-onnx"})
final class ExportCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Option(names = "--to", paramLabel = "FORMAT", required = true, description = "One of: ${COMPLETION-CANDIDATES}.")
    private StudentExport.Format format;

    @Option(names = "--output", paramLabel = "PATH", required = true, description = "An empty folder, or one to be; any Hadoop path.")
    private String output;

    @Option(names = "--overwrite", description = "Replace what an older export left there.")
    private boolean overwrite;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Settings settings = options.load();
        String path = new StudentExport(settings, Sessions.hadoop(settings)).run(format, output, overwrite);
        spec.commandLine().getOut().println("the student is in " + path);
        spec.commandLine().getOut().flush();
        return 0;
    }
}
