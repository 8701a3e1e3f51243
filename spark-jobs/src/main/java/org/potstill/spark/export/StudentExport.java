package org.potstill.spark.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.OnnxExport;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.potstill.spark.TemporaryFolder;
import org.potstill.spark.report.Report;
import org.potstill.spark.train.StudentFolder;
import org.potstill.student.Student;

/**
 * A finished student as others load it: a folder for transformers' {@code AutoModelForCausalLM}, or one with an ONNX graph
 * as Hugging Face Optimum lays it out.
 *
 * <p>Each file appears whole, and {@code config.json}, without which neither loads a folder, is the last to come and the
 * first to go: what a killed export leaves is never taken for a model.
 */
public final class StudentExport {
    /** What to make: safetensors or ONNX. */
    public enum Format { HF, ONNX }

    /** All that an export may write, in the order of writing. */
    private static final List<String> FILES = List.of(Student.WEIGHTS, OnnxExport.DATA, OnnxExport.MODEL, "tokenizer.json",
            "tokenizer_config.json", "generation_config.json", "README.md", Student.CONFIG);

    private final Settings settings;
    private final Configuration hadoop;
    private final HadoopFolder student;

    public StudentExport(Settings settings, Configuration hadoop) {
        this.settings = settings;
        this.hadoop = hadoop;
        this.student = new HadoopFolder("student", settings.required("student.path"), hadoop);
    }

    /**
     * @param output    Hadoop path of a folder
     * @param overwrite whether what is there may be replaced
     * @return the folder's full path
     */
    public String run(Format format, String output, boolean overwrite) {
        JsonNode provenance = new StudentFolder(student).provenance();
        HadoopFolder target = new HadoopFolder("export", output, hadoop);
        if (target.path().equals(student.path())) {
            throw JobErrors.badOption("--output", "it is the student's own folder");
        }
        List<String> there = target.names();
        there.stream().filter(name -> !overwrite && !HadoopFolder.isIncoming(name)).findFirst().ifPresent(name -> {
            throw JobErrors.exportExists(target.path().toString(), name);
        });
        target.requireWritable();
        try (TemporaryFolder local = new TemporaryFolder()) {
            Path made = make(format, provenance, local.path());
            target.delete(Student.CONFIG);
            there.stream().filter(HadoopFolder::isIncoming).forEach(target::delete);
            for (String name : FILES) {
                if (Files.exists(made.resolve(name))) {
                    target.write(name, made.resolve(name));
                } else {
                    target.delete(name);
                }
            }
        } catch (IOException e) {
            throw JobErrors.unwritable("temporary files", System.getProperty("java.io.tmpdir"), e);
        }
        return target.path().toString();
    }

    private Path make(Format format, JsonNode provenance, Path local) throws IOException {
        Path source = Files.createDirectory(local.resolve("student"));
        Path made = Files.createDirectory(local.resolve("export"));
        for (String name : new String[] {Student.CONFIG, Student.WEIGHTS, "tokenizer.json", "tokenizer_config.json"}) {
            student.fetch(name, source.resolve(name));
        }
        TokenizerDefinition tokenizer;
        try (Checkpoint checkpoint = Checkpoints.open(source)) {
            tokenizer = checkpoint.tokenizer();
            if (format == Format.ONNX) {
                OnnxExport.write(checkpoint, made);
            }
        }
        if (format == Format.HF) {
            Files.move(source.resolve(Student.WEIGHTS), made.resolve(Student.WEIGHTS));
        }
        Files.writeString(made.resolve("tokenizer.json"), tokenizer.huggingFaceJson());
        Files.writeString(made.resolve("tokenizer_config.json"), tokenizer.configJson());
        ObjectNode ids = HadoopFolder.JSON.createObjectNode();
        if (tokenizer.bosId() >= 0) {
            ids.put("bos_token_id", tokenizer.bosId());
        }
        if (tokenizer.eosId() >= 0) {
            ids.put("eos_token_id", tokenizer.eosId());
        }
        ObjectNode config = (ObjectNode) HadoopFolder.JSON.readTree(Files.readString(source.resolve(Student.CONFIG)));
        write(made.resolve(Student.CONFIG), config.setAll(ids));
        write(made.resolve("generation_config.json"), ids);
        JsonNode evaluation = new Report(settings, hadoop).section("evaluate");
        Files.writeString(made.resolve("README.md"), new ModelCard(provenance, evaluation, format).markdown());
        return made;
    }

    private static void write(Path file, JsonNode json) throws IOException {
        Files.writeString(file, HadoopFolder.JSON.writeValueAsString(json) + "\n");
    }
}
