// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.generation.Generator;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * A process that serves one model and does nothing else, so that its memory is the model's. It loads the model, runs once to
 * warm up, answers {@code ready}, and then each line on the standard input: a number runs that work item, anything else ends
 * the process. Each answer is a line of JSON after {@value #ANSWER}; native libraries may write other lines.
 */
final class ServedModel {
    static final String ANSWER = "potstill:";
    private static final ObjectMapper JSON = new ObjectMapper();

    private ServedModel() {
    }

    /**
     * The model to serve, and its work.
     *
     * @param sequences forward passes: the sequences of every pass; generation: the beginnings to continue
     * @param newTokens generation: tokens per continuation; 0 for forward passes
     */
    record Job(String model, TeacherOptions.Engine engine, TeacherOptions.Device device, int gpu,
            Precision precision, int threads, String scratch, List<int[]> sequences, int newTokens) {
        TeacherOptions options() {
            return new TeacherOptions(engine, device, gpu, precision, threads, Path.of(scratch), TargetSpec.topK(1));
        }
    }

    /**
     * Result of a run.
     *
     * @param tokens forward passes: positions; generation: tokens after the first, which comes with the prompt
     * @param text   generation: the continuation
     * @param device device that computed
     */
    record Answer(double seconds, long tokens, String text, String device) {
    }

    private interface Server extends AutoCloseable {
        Answer run(int item);

        @Override
        void close();
    }

    public static void main(String[] arguments) throws IOException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Job job = JSON.readValue(Files.readString(Path.of(arguments[0])), Job.class);
        try (Server server = job.newTokens == 0 ? passes(job) : generation(job)) {
            server.run(0);
            answer(out, JSON.createObjectNode().put("ready", true));
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null && line.matches("[0-9]{1,9}"); line = in.readLine()) {
                answer(out, JSON.valueToTree(server.run(Integer.parseInt(line))));
            }
            answer(out, JSON.createObjectNode().put("peakBytes", peakBytes()));
        } catch (UserException e) {
            answer(out, JSON.createObjectNode().put("problem", e.problem() + ": " + e.cause()));
            System.exit(2);
        }
    }

    private static void answer(PrintStream out, JsonNode node) throws IOException {
        out.println(ANSWER + JSON.writeValueAsString(node));
    }

    private static Server passes(Job job) {
        Teacher model = Teachers.open(Path.of(job.model), job.options());
        long positions = job.sequences.stream().mapToLong(s -> s.length - 1L).sum();
        return new Server() {
            @Override
            public Answer run(int item) {
                long begin = System.nanoTime();
                model.score(job.sequences, TargetSpec.topK(1));
                return new Answer((System.nanoTime() - begin) / 1e9, positions, null, model.device().name().toLowerCase(Locale.ROOT));
            }

            @Override
            public void close() {
                model.close();
            }
        };
    }

    private static Server generation(Job job) {
        try (CausalLm model = Teachers.model(Path.of(job.model))) {
            Tokenizer tokenizer = new Tokenizer(model.tokenizer());
            Generator generator = new Generator(model, tokenizer, job.threads, Path.of(job.scratch), job.precision == Precision.INT8 ? Precision.INT8 : Precision.FP32);
            return new Server() {
                @Override
                public Answer run(int item) {
                    StringBuilder text = new StringBuilder();
                    Generator.Written written = generator.write(job.sequences.get(item), job.newTokens, SamplingOptions.GREEDY, text::append);
                    return new Answer(written.seconds(), Math.max(1, written.tokens() - 1), text.toString(), "cpu");
                }

                @Override
                public void close() {
                    generator.close();
                    tokenizer.close();
                }
            };
        }
    }

    /** Returns the peak resident memory of this process, including shared libraries and mapped weights; negative if Linux does not report it. */
    private static long peakBytes() {
        return 1024 * kibibytes("/proc/self/status", "VmHWM:");
    }

    /** Reads a figure in KiB from a file in {@code /proc}; −1 if it is missing. */
    static long kibibytes(String file, String field) {
        try {
            return Files.readAllLines(Path.of(file)).stream().filter(line -> line.startsWith(field))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", ""))).findFirst().orElse(-1);
        } catch (IOException | RuntimeException e) {
            return -1;
        }
    }
}
