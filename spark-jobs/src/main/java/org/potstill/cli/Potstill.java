// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.hadoop.util.ShutdownHookManager;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.errors.UserException;
import org.potstill.spark.Failures;
import org.potstill.spark.Platform;
import org.potstill.spark.Sessions;
import org.potstill.spark.errors.Versions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** The command line, and the main class under spark-submit. */
@Command(name = "potstill", mixinStandardHelpOptions = true, versionProvider = Potstill.Version.class,
        description = {
            "Distils a large language model into a small one on Apache Spark.", "",
            "distil runs the whole pipeline. Its steps can also run one by one: prune (optional) cuts the teacher down to the "
                + "initial student; label, once, scores the corpus with the teacher and caches the soft targets; train, as often as you "
                + "like, trains a student from the cache, with no teacher in memory; evaluate compares the student with its teacher on "
                + "held-out documents; export writes it for transformers, ONNX Runtime or llama.cpp; and generate writes text with it. write "
                + "makes a corpus: the teacher's answers to prompts."},
        footer = {"", "Example:", "  potstill distil   --conf distil.conf", "or", "  potstill prune    --conf distil.conf", "  potstill label    --conf distil.conf", "  potstill train    --conf distil.conf",
            "  potstill evaluate --conf distil.conf",
            "  potstill export   --conf distil.conf --to hf --output student-hf",
            "  potstill generate --model student-hf --prompt \"Once\"",
            "  potstill cache inspect --conf distil.conf", "",
            "Exit status: 0 success; 1 failure; 2 wrong usage, or a problem whose message says how to fix it; 130 or 143 interrupted."},
        subcommands = {DistilCommand.class, PruneCommand.class, WriteCommand.class, LabelCommand.class, TrainCommand.class, EvaluateCommand.class, ExportCommand.class, GenerateCommand.class,
            CacheCommand.class, DefaultsCommand.class})
public final class Potstill {
    static final int USER_ERROR = 2;
    /** Not the process's: that of a signal is 128 and its number. */
    private static final int INTERRUPTED = 1;

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"potstill " + Versions.potstill()};
        }
    }

    public static void main(String[] args) {
        boolean guest = Sessions.isGuest();
        if (!guest) {
            // Spark and Hadoop format numbers in file names in the user's locale, where some have other digits.
            Locale.setDefault(Locale.ENGLISH);
        }
        Thread goodbye = new Thread(Potstill::sayInterrupted, "potstill-interrupted");
        if (!guest) {
            Runtime.getRuntime().addShutdownHook(goodbye);
        }
        AtomicReference<String> message = new AtomicReference<>("its message is above");
        int status = 1;
        try {
            status = run(message::set, args);
        } finally {
            if (!isInterrupted()) {
                Runtime.getRuntime().removeShutdownHook(goodbye);
            }
            if (status != 0 && !guest) {
                // A thread may still be loading a teacher.
                NativeWork.end();
            }
        }
        // Databricks treats System.exit, even of 0, as a failure: return normally on success.
        if (status != 0 && (guest || isYarnDriver())) {
            throw new IllegalStateException("potstill ended with status " + status + ": " + message.get());
        }
        if (status != 0) {
            System.exit(status);
        }
    }

    private static void sayInterrupted() {
        // Spark ends the process itself after some errors, which it has reported.
        boolean exit = Thread.getAllStackTraces().values().stream().flatMap(Arrays::stream)
                .anyMatch(frame -> frame.getClassName().equals(Runtime.class.getName()) && frame.getMethodName().equals("exit"));
        if (exit) {
            return;
        }
        System.err.println("potstill: interrupted" + System.lineSeparator() + "  finished work is kept: run the same command again to continue");
    }

    /** Whether a signal is ending the process: Spark stops in a hook of this manager, and jobs then fail because of it. */
    private static boolean isInterrupted() {
        return ShutdownHookManager.get().isShutdownInProgress();
    }

    /** Whether YARN runs this process as its application master, which shows what main throws, and nothing of one that exits. */
    private static boolean isYarnDriver() {
        return System.getProperty("spark.master", "").equals("yarn") && System.getProperty("spark.submit.deployMode", "").equals("cluster");
    }

    /** @return the exit status */
    static int run(String... args) {
        return run(ignored -> { }, args);
    }

    /** @param message takes the message of a user error, which is also printed */
    private static int run(Consumer<String> message, String... args) {
        CommandLine line = line();
        line.setExecutionStrategy(parsed -> {
            Integer help = CommandLine.executeHelpRequest(parsed);
            if (help != null) {
                return help;
            }
            try {
                Platform.requireReadable(List.of(args));
                Platform.require();
            } catch (UserException e) {
                // Said without Failures, which cannot be loaded with another Spark.
                say(e, e, line, message);
                return USER_ERROR;
            }
            return new CommandLine.RunLast().execute(parsed);
        });
        line.setExecutionExceptionHandler((thrown, command, parsed) -> {
            if (isInterrupted()) {
                return INTERRUPTED;
            }
            if (told(thrown, line, message)) {
                return USER_ERROR;
            }
            throw thrown;
        });
        try {
            return args.length > 0 ? line.execute(args) : usage(line);
        } catch (Error e) {
            // Picocli's handler covers exceptions only.
            if (isInterrupted()) {
                return INTERRUPTED;
            }
            if (told(e, line, message)) {
                return USER_ERROR;
            }
            throw e;
        }
    }

    /** Returns the command line with all its commands, which parses but does not handle errors. */
    static CommandLine line() {
        CommandLine line = new CommandLine(new Potstill());
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setUsageHelpAutoWidth(true);
        // Arguments such as prompts may begin with @.
        line.setExpandAtFiles(false);
        return line;
    }

    /**
     * Prints the user error behind a failure.
     *
     * @return whether there is one
     */
    private static boolean told(Throwable thrown, CommandLine line, Consumer<String> message) {
        Optional<UserException> known = Failures.explain(thrown);
        known.ifPresent(error -> say(error, thrown, line, message));
        return known.isPresent();
    }

    private static void say(UserException error, Throwable thrown, CommandLine line, Consumer<String> message) {
        if ("full".equals(System.getenv("POTSTILL_TRACES"))) {
            thrown.printStackTrace(line.getErr());
        }
        line.getErr().println("potstill: " + error.getMessage());
        line.getErr().flush();
        message.accept(error.getMessage());
    }

    private static int usage(CommandLine line) {
        line.usage(line.getErr());
        return USER_ERROR;
    }
}
