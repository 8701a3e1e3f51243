// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.gguf.GgufExport;
import org.potstill.checkpoints.formats.onnx.OnnxExport;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.storage.TemporaryFolder;
import org.potstill.spark.train.StudentFolder;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.onnx.CalibrationText;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * Export of a finished student: a folder for transformers' {@code AutoModelForCausalLM}, a folder with an ONNX graph in Hugging Face
 * Optimum's layout, or a GGUF file for llama.cpp.
 *
 * <p>The export is read back and compared with the student before it is published. Each file appears atomically. The file without
 * which the others cannot be loaded, {@code config.json} or the GGUF file, is written last and deleted first, so the remains of a
 * killed export are never mistaken for a model.
 */
public final class StudentExport {
    private final Settings settings;
    private final Configuration hadoop;
    private final Optional<SparkSession> spark;
    private final HadoopFolder student;

    /** @param spark session to read the corpus on which export and student are compared; empty to read no corpus */
    public StudentExport(Settings settings, Configuration hadoop, Optional<SparkSession> spark) {
        this.settings = settings;
        this.hadoop = hadoop;
        this.spark = spark;
        this.student = new HadoopFolder("student", settings.required("student.path"), hadoop);
    }

    /**
     * Parameters of an export.
     *
     * @param precision null for the format's default
     * @param output    Hadoop path of a folder or, for GGUF, a file
     * @param overwrite whether existing files may be replaced
     * @param text      Hadoop path of a text to compare export and student on; null for the corpus or, if there is none,
     *                  Potstill's own text
     */
    public record Order(ExportFormat format, ExportFormat.Precision precision, String output, boolean overwrite, String text) {
    }

    /**
     * Result of an export.
     *
     * @param path     path of the folder or file
     * @param bytes    total size of its files
     * @param fidelity deviation from the student
     * @param remarks  notes for users, in sentences
     */
    public record Made(String path, long bytes, Fidelity fidelity, List<String> remarks) {
    }

    /** Whether a complete export of this order exists at its output path; other files there may not be replaced without permission. */
    public boolean isThere(Order order) {
        ExportFiles files = ExportFiles.of(order.format(), order.output(), hadoop);
        return files.target().has(files.last()) && files.target().has(files.provenance())
                && files.target().readJson(files.provenance()).has(StudentFolder.EXPORT);
    }

    public Made run(Order order) {
        JsonNode provenance = new StudentFolder(student).provenance();
        ExportFormat.Precision precision = order.format().precision(order.precision());
        ExportFiles files = ExportFiles.of(order.format(), order.output(), hadoop);
        HadoopFolder target = files.target();
        if (!order.overwrite() && !files.inTheWay().isEmpty()) {
            throw JobErrors.exportExists(target.path().toString(), files.inTheWay().get(0));
        }
        if (target.has(files.last()) && !isThere(order)) {
            throw JobErrors.wouldOverwrite("--output", target.path().toString(), files.last());
        }
        target.requireWritable();
        try (TemporaryFolder local = new TemporaryFolder()) {
            Path source = Files.createDirectory(local.path().resolve("student"));
            Path made = Files.createDirectory(local.path().resolve("export"));
            fetch(source);
            List<String> remarks = make(order.format(), precision, files, source, made, local.path().resolve("scratch"));
            Fidelity fidelity = compare(order, provenance, source, order.format() == ExportFormat.GGUF ? made.resolve(files.last()) : made,
                    local.path().resolve("scratch"));
            describe(order.format(), precision, provenance, fidelity, remarks, files, made);
            publish(files, made);
            return new Made(files.path(), bytes(files, made), fidelity, remarks);
        } catch (IOException e) {
            throw JobErrors.unwritable("temporary files", System.getProperty("java.io.tmpdir"), e);
        }
    }

    private void fetch(Path source) {
        List<String> names = new ArrayList<>(List.of(Student.CONFIG, Student.WEIGHTS, "tokenizer.json", "tokenizer_config.json"));
        if (student.has(StudentFolder.GENERATION_CONFIG)) {
            names.add(StudentFolder.GENERATION_CONFIG);
        }
        names.forEach(name -> student.fetch(name, source.resolve(name)));
    }

    /**
     * Writes the model and, for folders, its companion files.
     *
     * @return remarks
     */
    private List<String> make(ExportFormat format, ExportFormat.Precision precision, ExportFiles files, Path source, Path made, Path scratch)
            throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(source)) {
            if (format == ExportFormat.GGUF) {
                GgufExport export = new GgufExport(checkpoint, switch (precision) {
                    case F16 -> GgufExport.Numbers.F16;
                    case Q8_0 -> GgufExport.Numbers.Q8_0;
                    default -> GgufExport.Numbers.F32;
                });
                export.write(student.path().getName(), made.resolve(files.last()));
                return export.remarks();
            }
            if (format == ExportFormat.HF) {
                Files.copy(source.resolve(Student.WEIGHTS), made.resolve(Student.WEIGHTS));
            } else if (precision == ExportFormat.Precision.INT8) {
                OnnxExport.writeInt8(checkpoint, CalibrationText.calibration(checkpoint, options(scratch)), scratch, made);
            } else {
                OnnxExport.write(checkpoint, made);
            }
            TokenizerDefinition tokenizer = checkpoint.tokenizer();
            Files.writeString(made.resolve("tokenizer.json"), tokenizer.huggingFaceJson());
            Files.writeString(made.resolve("tokenizer_config.json"), tokenizer.configJson());
            write(made.resolve(Student.CONFIG), StudentFolder.withTokenIds(Files.readString(source.resolve(Student.CONFIG)), tokenizer));
            write(made.resolve(StudentFolder.GENERATION_CONFIG), StudentFolder.tokenIds(tokenizer));
            return List.of();
        }
    }

    private Fidelity compare(Order order, JsonNode provenance, Path source, Path made, Path scratch) {
        Student.setThreads(threads());
        try (Student original = Student.load(source, TrainingOptions.NONE); CausalLm export = Checkpoints.model(made);
                Teacher engine = Teachers.open(export, options(scratch))) {
            Sample sample = sample(order.text(), provenance, export.tokenizer(), export.vocabSize());
            return Fidelity.measure(original::logits, engine::logits, export.vocabSize(), sample,
                    Math.min(original.config().maxPositionEmbeddings(), export.maxPositionEmbeddings()));
        }
    }

    private Sample sample(String text, JsonNode provenance, TokenizerDefinition tokenizer, int rows) {
        if (text != null) {
            return Sample.ofFile(text, settings, hadoop, tokenizer);
        }
        return spark.map(session -> Sample.ofCorpus(session, settings, provenance.path("corpus"), tokenizer, rows))
                .orElseGet(() -> Sample.builtIn(settings, tokenizer));
    }

    private TeacherOptions options(Path scratch) {
        return new TeacherOptions(TeacherOptions.Device.CPU, threads(), scratch);
    }

    private int threads() {
        int asked = settings.integer("teacher.threads", 0, 1024);
        return asked > 0 ? asked : Runtime.getRuntime().availableProcessors();
    }

    private void describe(ExportFormat format, ExportFormat.Precision precision, JsonNode provenance, Fidelity fidelity, List<String> remarks,
            ExportFiles files, Path made) throws IOException {
        JsonNode evaluation = new Report(settings, hadoop).section("evaluate");
        Files.writeString(made.resolve(files.modelCard()),
                new ModelCard(provenance, evaluation, format, precision, fidelity, remarks).markdown());
        ObjectNode json = HadoopFolder.JSON.createObjectNode();
        ObjectNode export = json.putObject(StudentFolder.EXPORT).put("format", format.toString()).put("precision", precision.toString())
                .put("kl_to_student", fidelity.kl()).put("top_1_agreement", fidelity.agreement()).put("positions", fidelity.positions())
                .put("measured_on", fidelity.measuredOn()).put("potstill", Versions.potstill());
        remarks.forEach(export.putArray("remarks")::add);
        for (String key : List.of("teacher", "targets", "identity", "versions")) {
            if (provenance.has(key)) {
                json.set(key, provenance.get(key));
            }
        }
        write(made.resolve(files.provenance()), json);
    }

    private static void publish(ExportFiles files, Path made) throws IOException {
        HadoopFolder target = files.target();
        if (files.inTheWay().isEmpty()) {
            target.requireRoom(bytes(files, made), "choose another folder for --output");
        }
        target.delete(files.last());
        if (!files.isFile()) {
            target.names().stream().filter(HadoopFolder::isIncoming).forEach(target::delete);
        }
        try {
            for (String name : files.names()) {
                if (Files.exists(made.resolve(name))) {
                    target.write(name, made.resolve(name));
                } else {
                    target.delete(name);
                }
            }
        } catch (UserException e) {
            // Half an export would be in the next one's way.
            files.names().forEach(target::delete);
            throw e;
        }
    }

    private static long bytes(ExportFiles files, Path made) throws IOException {
        long bytes = 0;
        for (String name : files.names()) {
            bytes += Files.exists(made.resolve(name)) ? Files.size(made.resolve(name)) : 0;
        }
        return bytes;
    }

    private static void write(Path file, JsonNode json) throws IOException {
        Files.writeString(file, HadoopFolder.JSON.writeValueAsString(json) + "\n");
    }
}
