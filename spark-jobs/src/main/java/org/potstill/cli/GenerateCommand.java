// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.potstill.spark.api.Generation;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.storage.FileSystems;
import org.potstill.teacher.generation.Generator;
import org.potstill.teacher.generation.SamplingOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "generate", description = {
    "Generates text with a model: a student, an export, or any teacher (GGUF, Hugging Face, ONNX with past).", "",
    "Runs on this machine's CPU, with ONNX Runtime and a key-value cache. Streams the text to standard output and prints the "
        + "speed to standard error. Starts no cluster."},
    footer = {"", "Needs --model and --prompt. Weights are kept in teacher.scratch; teacher.threads sets the number of threads.", "",
        "Example:", "  potstill generate --model /models/student --prompt \"Fellow citizens,\"",
        "  potstill generate --model teacher.gguf --chat --prompt \"Who are you?\" --temperature 0"})
final class GenerateCommand implements Callable<Integer> {
    private static final int MAX_PROMPT_BYTES = 1 << 24;

    @Mixin
    private SettingsOptions options;

    @Option(names = "--model", paramLabel = "PATH", required = true, description = "A file or folder; any Hadoop path.")
    private String model;

    @Option(names = "--prompt", paramLabel = "TEXT", required = true, description = "The text to continue; - reads standard input.")
    private String prompt;

    @Option(names = "--plain-text", description = "Treat special tokens spelled out in the prompt as plain text. By default they are "
            + "special, as in transformers, since a prompt may be the output of a chat template.")
    private boolean plainText;

    @Option(names = "--chat", description = "Treat the prompt as a user message, and render it with the model's chat template.")
    private boolean chat;

    @Option(names = "--system", paramLabel = "TEXT", description = "With --chat: the system message.")
    private String system;

    @Option(names = "--max-new-tokens", paramLabel = "N", defaultValue = Generation.MAX_NEW_TOKENS,
            description = "Stop after this many tokens (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens;

    @Option(names = "--temperature", paramLabel = "T", defaultValue = Generation.TEMPERATURE,
            description = "Divides the logits (default: ${DEFAULT-VALUE}); 0 always takes the most probable token.")
    private double temperature;

    @Option(names = "--top-p", paramLabel = "P", defaultValue = Generation.TOP_P,
            description = "Sample from the most probable tokens that together have this probability; 1 for all (default: "
                    + "${DEFAULT-VALUE}).")
    private double topP;

    @Option(names = "--top-k", paramLabel = "K", defaultValue = Generation.TOP_K,
            description = "Sample from this many of the most probable tokens; 0 for all (default: ${DEFAULT-VALUE}).")
    private int topK;

    @Option(names = "--seed", paramLabel = "N", defaultValue = Generation.SEED,
            description = "Seed for sampling (default: ${DEFAULT-VALUE}); the same seed gives the same text.")
    private long seed;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Generation generation = new Generation(model, chat, system, plainText, maxNewTokens, new SamplingOptions(temperature, topK, topP, seed),
                options.load(List.of(PathSettings.SCRATCH)));
        // UTF-8 whatever the locale's encoding.
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Generator.Written written;
        try (Generation.OpenModel opened = generation.open(FileSystems.configuration(generation.settings().spark()))) {
            written = opened.write(prompt.equals("-") ? standardInput() : prompt, text -> {
                out.print(text);
                if (out.checkError()) {
                    throw JobErrors.outputClosed();
                }
            });
        }
        out.println();
        out.flush();
        spec.commandLine().getErr().println(String.format(Locale.ROOT,
                "%,d tokens read in %.2f s, %,d written in %.2f s: %.1f tokens/s", written.promptTokens(), written.promptSeconds(),
                written.tokens(), written.seconds(), written.tokens() / written.seconds()));
        spec.commandLine().getErr().flush();
        return 0;
    }

    private static String standardInput() {
        try {
            byte[] bytes = System.in.readNBytes(MAX_PROMPT_BYTES + 1);
            if (bytes.length > MAX_PROMPT_BYTES) {
                throw JobErrors.badOption("--prompt", "standard input has more than " + MAX_PROMPT_BYTES + " bytes");
            }
            return new String(bytes, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
