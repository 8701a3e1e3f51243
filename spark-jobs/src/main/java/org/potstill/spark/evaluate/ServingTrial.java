// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.spark.evaluate.ServingSummary.Continuation;
import org.potstill.spark.evaluate.ServingSummary.ServedFigures;
import org.potstill.spark.evaluate.ServingSummary.Timing;
import org.potstill.spark.hardware.Processor;
import org.potstill.spark.storage.TemporaryFolder;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.TeacherOptions.Engine;

/**
 * Measurement of speed and memory on one executor, with one process per model. Both processes stay alive, but only one works at a
 * time. Passes alternate, so that other load on the machine affects both alike.
 *
 * @param passage    sequences of every forward pass
 * @param repeats    forward passes per model
 * @param beginnings prompts to continue
 * @param newTokens  tokens per continuation
 */
record ServingTrial(EvaluatedModel teacher, EvaluatedModel student, int threads, List<int[]> passage,
        int repeats, List<Beginning> beginnings, int newTokens, Broadcast<SerializableConfiguration> hadoop) implements Serializable {
    /** Memory for generation: fp32 weights, and what the engine allocates besides. */
    private static final double BYTES_PER_PARAMETER = 7;

    /**
     * A beginning of a document.
     *
     * @param document id of the document
     * @param text     text of the tokens
     */
    record Beginning(String document, String text, int[] tokens) implements Serializable {
    }

    /**
     * Result of the measurements.
     *
     * @param notes what could not be measured, and why
     */
    record Result(ServingSummary summary, List<String> notes) implements Serializable {
    }

    /** Measurements of both models, in the order in which they were taken. */
    private record Measured(List<List<ServedModel.Answer>> answers, List<Long> peakBytes) {
    }

    Result run() {
        List<String> notes = new ArrayList<>();
        try (StudentScratch scratch = new StudentScratch(student)) {
            List<EvaluatedModel> models = List.of(teacher, scratch.student());
            Measured passes = measure("forward passes", models, passage, 0, repeats, notes);
            Measured texts = beginnings.isEmpty() || !generationFits(models, notes) ? null
                    : measure("generation", models, beginnings.stream().map(Beginning::tokens).toList(), newTokens, beginnings.size(), notes);
            ServingSummary summary = new ServingSummary(Processor.name(), threads, passage.stream().mapToLong(s -> s.length - 1L).sum(),
                    passage.stream().mapToInt(s -> s.length - 1).max().orElse(0), figures(0, passes, texts), figures(1, passes, texts),
                    ratio(passes, a -> a.tokens() / a.seconds()), ratio(texts, a -> a.seconds() / a.tokens()), texts == null ? List.of() : continuations(texts));
            return new Result(summary, notes);
        }
    }

    /** Returns whether there is enough memory for generation, which runs on the CPU even if forward passes run on a GPU. */
    private boolean generationFits(List<EvaluatedModel> models, List<String> notes) {
        long parameters = 0;
        for (EvaluatedModel model : models) {
            try (CausalLm opened = Teachers.model(model.path(hadoop.value().value()))) {
                parameters += opened.parameters();
            }
        }
        long needed = (long) (BYTES_PER_PARAMETER * parameters);
        long available = ServedModel.kibibytes("/proc/meminfo", "MemAvailable:") * 1024;
        if (available >= 0 && available < needed) {
            notes.add(String.format(Locale.ROOT, "generation was not measured: both models need about %,.0f MB of memory for it, and %,.0f MB are free",
                    needed / 1e6, available / 1e6));
            return false;
        }
        return true;
    }

    /** Measures both models in turn; returns null if one could not be served. */
    private Measured measure(String what, List<EvaluatedModel> models, List<int[]> sequences, int tokens, int turns, List<String> notes) {
        Configuration conf = hadoop.value().value();
        try (TemporaryFolder first = new TemporaryFolder(); TemporaryFolder second = new TemporaryFolder()) {
            List<ServedModel.Job> jobs = new ArrayList<>();
            for (EvaluatedModel model : models) {
                jobs.add(job(model, conf, sequences, tokens));
            }
            try (ServingProcess a = new ServingProcess(jobs.get(0), first.path()); ServingProcess b = new ServingProcess(jobs.get(1), second.path())) {
                List<ServingProcess> processes = List.of(a, b);
                for (ServingProcess process : processes) {
                    process.awaitReady();
                }
                List<List<ServedModel.Answer>> answers = List.of(new ArrayList<>(), new ArrayList<>());
                for (int turn = 0; turn < turns; turn++) {
                    for (int m = 0; m < 2; m++) {
                        answers.get(m).add(processes.get(m).run(tokens == 0 ? 0 : turn));
                    }
                }
                List<Long> peaks = new ArrayList<>();
                for (ServingProcess process : processes) {
                    peaks.add(process.end().orElse(null));
                }
                return new Measured(answers, peaks);
            }
        } catch (ServingProcess.FailedException e) {
            notes.add(what + " could not be measured: " + e.getMessage());
            return null;
        }
    }

    /** Compiles the weights here, so that the serving process need not. */
    private ServedModel.Job job(EvaluatedModel model, Configuration conf, List<int[]> sequences, int tokens) {
        try (CausalLm opened = model.open(conf)) {
            if (model.precision() == Precision.INT8) {
                Teachers.open(opened, model.options(threads)).close();
            } else if (model.engine() == Engine.ONNX) {
                opened.onnx(LlamaGraph.Ending.SCORES, model.precision(), null, Path.of(model.scratch()));
            }
        }
        return new ServedModel.Job(model.path(conf).toString(), model.engine(), model.device(), model.options(threads).gpu(), model.precision(),
                threads, model.scratch(), sequences, tokens);
    }

    private ServedFigures figures(int model, Measured passes, Measured texts) {
        EvaluatedModel served = model == 0 ? teacher : student;
        String engine = (served.engine() == Engine.ONNX ? "ONNX Runtime" : "ND4J")
                + (passes == null ? "" : ", " + passes.answers.get(model).get(0).device()) + ", " + served.precision().name().toLowerCase(Locale.ROOT);
        return new ServedFigures(engine,
                passes == null ? null : timing(passes.answers.get(model).stream().mapToDouble(a -> a.tokens() / a.seconds()).toArray()),
                passes == null ? null : passes.peakBytes.get(model),
                texts == null ? null : timing(texts.answers.get(model).stream().mapToDouble(a -> 1000 * a.seconds() / a.tokens()).toArray()),
                texts == null ? null : texts.peakBytes.get(model));
    }

    /** Returns the student's figures divided by the teacher's, pairing measurements that were taken one after the other. */
    private static Timing ratio(Measured measured, ToDoubleFunction<ServedModel.Answer> figure) {
        return measured == null ? null : timing(IntStream.range(0, measured.answers.get(0).size()).mapToDouble(turn ->
                figure.applyAsDouble(measured.answers.get(1).get(turn)) / figure.applyAsDouble(measured.answers.get(0).get(turn))).toArray());
    }

    private static Timing timing(double[] values) {
        Arrays.sort(values);
        int n = values.length;
        return new Timing((values[(n - 1) / 2] + values[n / 2]) / 2, values[0], values[n - 1], n);
    }

    private List<Continuation> continuations(Measured texts) {
        List<Continuation> continuations = new ArrayList<>();
        for (int i = 0; i < beginnings.size(); i++) {
            continuations.add(new Continuation(beginnings.get(i).document(), beginnings.get(i).text(), texts.answers.get(0).get(i).text(),
                    texts.answers.get(1).get(i).text()));
        }
        return continuations;
    }
}
