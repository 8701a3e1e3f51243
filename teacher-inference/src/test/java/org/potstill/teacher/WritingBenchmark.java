// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Precision;
import org.potstill.teacher.generation.Answer;
import org.potstill.teacher.generation.AnswerRequest;
import org.potstill.teacher.generation.AnswerWriter;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.generation.WritingLimits;
import org.potstill.teacher.generation.WritingWork;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.potstill.teacher.scoring.TeacherOptions.Engine;

/**
 * The bare writer, for the comparisons in {@code bench}. For each line {@code PROMPTS ANSWERS [SHARED]} on standard input it continues
 * the prompts of a file, a line of token ids each, all of which begin with the same SHARED ones, by default 0; writes the new tokens to
 * another file, and says how many seconds it took, how many tokens it wrote, in how many steps, and how many prompt tokens it read.
 * Arguments: {@code PRECISION THREADS MAX_NEW_TOKENS TEXTS CACHE_MIB TEMPERATURE TOP_K TOP_P MODEL SCRATCH}.
 */
final class WritingBenchmark {
    private WritingBenchmark() {
    }

    public static void main(String[] arguments) throws IOException {
        Precision precision = Precision.valueOf(arguments[0]);
        TeacherOptions options = new TeacherOptions(Engine.ONNX, precision == Precision.FP16 ? Device.CUDA : Device.CPU, 0, precision,
                Integer.parseInt(arguments[1]), Path.of(arguments[9]));
        int maxNewTokens = Integer.parseInt(arguments[2]);
        WritingLimits limits = new WritingLimits(Integer.parseInt(arguments[3]), Long.parseLong(arguments[4]) << 20);
        SamplingOptions sampling = new SamplingOptions(Double.parseDouble(arguments[5]), Integer.parseInt(arguments[6]),
                Double.parseDouble(arguments[7]), 0);
        try (CausalLm model = Checkpoints.model(Path.of(arguments[8])); AnswerWriter writer = AnswerWriter.open(model, sampling, options, limits);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] files = line.split("\t");
                int shared = files.length > 2 ? Integer.parseInt(files[2]) : 0;
                List<AnswerRequest> requests = Files.readAllLines(Path.of(files[0])).stream()
                        .map(text -> Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray())
                        .map(prompt -> new AnswerRequest(prompt, shared, maxNewTokens, 0, 0)).toList();
                List<AnswerRequest> longestFirst = new ArrayList<>(requests);
                longestFirst.sort((one, other) -> other.prompt().length - one.prompt().length);
                writer.takeWork();
                long begin = System.nanoTime();
                List<CompletableFuture<Answer>> answers = longestFirst.stream().map(writer::submit).toList();
                answers.forEach(CompletableFuture::join);
                double seconds = (System.nanoTime() - begin) / 1e9;
                WritingWork work = writer.takeWork();
                Files.writeString(Path.of(files[1]), requests.stream().map(request -> answers.get(longestFirst.indexOf(request)).join())
                        .map(answer -> answer.end() + " " + Arrays.stream(answer.tokens()).mapToObj(Integer::toString)
                                .collect(Collectors.joining(" "))).collect(Collectors.joining("\n")));
                System.out.println(seconds + " " + work.newTokens() + " " + work.steps() + " " + work.promptTokens());
            }
        }
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                System.out.println(line.replaceAll("\\D", ""));
            }
        }
    }
}
