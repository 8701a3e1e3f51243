// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.api;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.tokenizer.ChatMessage;
import org.potstill.checkpoints.tokenizer.ChatTemplate;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.errors.ApiErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.generation.Generator;
import org.potstill.teacher.generation.SamplingOptions;

/**
 * How a model continues prompts.
 *
 * @param model        a file or folder; any Hadoop path
 * @param chat         whether prompts are a user's messages
 * @param system       the system message before them; null for none
 * @param plainText    whether special tokens in prompts are plain text
 * @param maxNewTokens most tokens to write
 * @param settings     {@code teacher.scratch} and {@code teacher.threads}
 */
public record Generation(String model, boolean chat, String system, boolean plainText, int maxNewTokens, SamplingOptions sampling, Settings settings) {
    public static final String MAX_NEW_TOKENS = "256";
    public static final String TEMPERATURE = "0.7";
    public static final String TOP_P = "0.95";
    public static final String TOP_K = "0";
    public static final String SEED = "42";

    /** @throws org.potstill.errors.UserException if the options contradict one another */
    public Generation {
        if (maxNewTokens < 1) {
            throw JobErrors.badOption("--max-new-tokens", "it must be 1 or more");
        }
        if (plainText && chat) {
            throw JobErrors.badOption("--plain-text", "--chat needs the special tokens of its template");
        }
        if (system != null && !chat) {
            throw JobErrors.badOption("--system", "it needs --chat");
        }
    }

    /** @param options those of the command, by their names without dashes in front, and settings */
    static Generation of(String model, Map<String, String> options) {
        Map<String, String> rest = new TreeMap<>(options);
        boolean chat = flag("chat", rest.remove("chat"));
        boolean plainText = flag("plain-text", rest.remove("plain-text"));
        String system = rest.remove("system");
        int maxNewTokens = (int) number("max-new-tokens", rest.remove("max-new-tokens"), MAX_NEW_TOKENS, 1, Integer.MAX_VALUE);
        SamplingOptions sampling = new SamplingOptions(real("temperature", rest.remove("temperature"), TEMPERATURE),
                (int) number("top-k", rest.remove("top-k"), TOP_K, 0, Integer.MAX_VALUE), real("top-p", rest.remove("top-p"), TOP_P),
                number("seed", rest.remove("seed"), SEED, Long.MIN_VALUE, Long.MAX_VALUE));
        Settings settings = Potstill.settings(rest);
        Job.check(settings, List.of(PathSettings.SCRATCH), Map.of("--model", model), List.of());
        return new Generation(model, chat, system, plainText, maxNewTokens, sampling, settings);
    }

    private static boolean flag(String option, String value) {
        if (value != null && !value.matches("true|false")) {
            throw ApiErrors.badOption(option, value, "true or false");
        }
        return Boolean.parseBoolean(value);
    }

    private static long number(String option, String value, String standard, long min, long max) {
        try {
            long number = Long.parseLong(value == null ? standard : value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw ApiErrors.badOption(option, value, "a whole number");
        }
        throw ApiErrors.badOption(option, value, "between " + min + " and " + max);
    }

    private static double real(String option, String value, String standard) {
        try {
            return Double.parseDouble(value == null ? standard : value);
        } catch (NumberFormatException e) {
            throw ApiErrors.badOption(option, value, "a number");
        }
    }

    /** Opens the model, to be closed by the caller. */
    public OpenModel open(Configuration hadoop) {
        String scratch = settings.required(PathSettings.SCRATCH);
        int asked = settings.integer("teacher.threads", 0, 1024);
        Path path = TeacherSource.localPath("--model", model, scratch, hadoop);
        return new OpenModel(Teachers.model(path), asked > 0 ? asked : Runtime.getRuntime().availableProcessors(), Path.of(scratch));
    }

    /** A model that is ready to write. */
    public final class OpenModel implements AutoCloseable {
        private final CausalLm lm;
        private final TokenizerDefinition definition;
        private final Tokenizer tokenizer;
        private final Generator generator;

        OpenModel(CausalLm lm, int threads, Path scratch) {
            this.lm = lm;
            this.definition = lm.tokenizer();
            this.tokenizer = new Tokenizer(definition);
            this.generator = new Generator(lm, tokenizer, threads, scratch);
        }

        /** Continues a prompt, piece by piece. */
        public Generator.Written write(String prompt, Consumer<String> out) {
            int[] ids = read(prompt);
            tokenizer.beyondRows(ids, lm.vocabSize()).ifPresent(why -> {
                throw JobErrors.badOption("--prompt", why);
            });
            return generator.write(ids, maxNewTokens, sampling, out);
        }

        private int[] read(String prompt) {
            if (chat) {
                List<ChatMessage> messages = new ArrayList<>();
                if (system != null) {
                    messages.add(new ChatMessage("system", system));
                }
                messages.add(new ChatMessage("user", prompt));
                return tokenizer.encode(new ChatTemplate(definition, tokenizer).render(messages), true);
            }
            return definition.beginning(tokenizer.encode(prompt, !plainText));
        }

        @Override
        public void close() {
            try (lm; tokenizer; generator) {
                // In the reverse order.
            }
        }
    }
}
