// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.tokenizer.ChatMessage;
import org.potstill.checkpoints.tokenizer.ChatTemplate;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
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

    @Option(names = "--max-new-tokens", paramLabel = "N", defaultValue = "256",
            description = "Stop after this many tokens (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens;

    @Option(names = "--temperature", paramLabel = "T", defaultValue = "0.7",
            description = "Divides the logits (default: ${DEFAULT-VALUE}); 0 always takes the most probable token.")
    private double temperature;

    @Option(names = "--top-p", paramLabel = "P", defaultValue = "0.95",
            description = "Sample from the most probable tokens that together have this probability; 1 for all (default: "
                    + "${DEFAULT-VALUE}).")
    private double topP;

    @Option(names = "--top-k", paramLabel = "K", defaultValue = "0",
            description = "Sample from this many of the most probable tokens; 0 for all (default: ${DEFAULT-VALUE}).")
    private int topK;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "42",
            description = "Seed for sampling (default: ${DEFAULT-VALUE}); the same seed gives the same text.")
    private long seed;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Settings settings = options.load(List.of(PathSettings.SCRATCH));
        if (maxNewTokens < 1) {
            throw JobErrors.badOption("--max-new-tokens", "it must be 1 or more");
        }
        if (plainText && chat) {
            throw JobErrors.badOption("--plain-text", "--chat needs the special tokens of its template");
        }
        if (system != null && !chat) {
            throw JobErrors.badOption("--system", "it needs --chat");
        }
        SamplingOptions sampling = new SamplingOptions(temperature, topK, topP, seed);
        String scratch = settings.required("teacher.scratch");
        int asked = settings.integer("teacher.threads", 0, 1024);
        int threads = asked > 0 ? asked : Runtime.getRuntime().availableProcessors();
        Path path = TeacherSource.localPath("--model", model, scratch, FileSystems.configuration(settings.spark()));
        // UTF-8 whatever the locale's encoding.
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Generator.Written written;
        try (CausalLm opened = Teachers.model(path)) {
            written = write(opened, threads, Path.of(scratch), sampling, out);
        }
        out.println();
        out.flush();
        spec.commandLine().getErr().println(String.format(Locale.ROOT,
                "%,d tokens read in %.2f s, %,d written in %.2f s: %.1f tokens/s", written.promptTokens(), written.promptSeconds(),
                written.tokens(), written.seconds(), written.tokens() / written.seconds()));
        spec.commandLine().getErr().flush();
        return 0;
    }

    private Generator.Written write(CausalLm opened, int threads, Path scratch, SamplingOptions sampling, PrintStream out) {
        TokenizerDefinition definition = opened.tokenizer();
        try (Tokenizer tokenizer = new Tokenizer(definition); Generator generator = new Generator(opened, tokenizer, threads, scratch)) {
            return generator.write(requireRows(read(definition, tokenizer), opened.vocabSize(), tokenizer), maxNewTokens, sampling, text -> {
                out.print(text);
                if (out.checkError()) {
                    throw JobErrors.outputClosed();
                }
            });
        }
    }

    private int[] read(TokenizerDefinition definition, Tokenizer tokenizer) {
        String text = prompt.equals("-") ? standardInput() : prompt;
        if (chat) {
            List<ChatMessage> messages = new ArrayList<>();
            if (system != null) {
                messages.add(new ChatMessage("system", system));
            }
            messages.add(new ChatMessage("user", text));
            return tokenizer.encode(new ChatTemplate(definition, tokenizer).render(messages), true);
        }
        return definition.beginning(tokenizer.encode(text, !plainText));
    }

    private static int[] requireRows(int[] ids, int rows, Tokenizer tokenizer) {
        tokenizer.beyondRows(ids, rows).ifPresent(why -> {
            throw JobErrors.badOption("--prompt", why);
        });
        return ids;
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
