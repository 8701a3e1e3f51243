package org.potstill.cli;

import java.util.List;
import java.util.Optional;
import org.potstill.checkpoints.NativeWork;
import org.potstill.errors.UserException;
import org.potstill.spark.Failures;
import org.potstill.spark.Platform;
import org.potstill.spark.Sessions;
import org.potstill.spark.Versions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** The command line, and the main class under spark-submit. */
@Command(name = "potstill", mixinStandardHelpOptions = true, versionProvider = Potstill.Version.class,
        description = {
            "Distils a large language model into a small one on Apache Spark.", "",
            "distil runs the whole pipeline. Its steps, one by one: prune, where the student is to begin as a part of its teacher. Then label, once: the teacher scores the corpus and its soft targets go into the cache. Then train, as often as you "
                + "like: the student learns from the cache, with no teacher in memory. Then evaluate: the student against its "
                + "teacher on documents it never saw; export, as transformers or ONNX Runtime load it; and generate text with it."},
        footer = {"", "Example:", "  potstill distil   --conf distil.conf", "or", "  potstill prune    --conf distil.conf", "  potstill label    --conf distil.conf", "  potstill train    --conf distil.conf",
            "  potstill evaluate --conf distil.conf",
            "  potstill export   --conf distil.conf --to hf --output student-hf",
            "  potstill generate --model student-hf --prompt \"Once\"",
            "  potstill cache inspect --conf distil.conf", "",
            "Exit status: 0 done; 1 failed; 2 wrong usage or a problem that the message tells how to mend."},
        subcommands = {DistilCommand.class, PruneCommand.class, LabelCommand.class, TrainCommand.class, EvaluateCommand.class, ExportCommand.class, GenerateCommand.class,
            CacheCommand.class, DefaultsCommand.class})
public final class Potstill {
    static final int USER_ERROR = 2;

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"potstill " + Versions.potstill()};
        }
    }

    public static void main(String[] args) {
        boolean guest = Sessions.isGuest();
        int status = 1;
        try {
            status = run(args);
        } finally {
            if (status != 0 && !guest) {
                // A teacher may be on its way into memory.
                NativeWork.end();
            }
        }
        // Databricks takes System.exit, even of 0, for a failure: leave by returning where all is well.
        if (status != 0 && guest) {
            throw new IllegalStateException("potstill ended with status " + status + "; its message is above");
        }
        if (status != 0) {
            System.exit(status);
        }
    }

    /** @return the exit status */
    static int run(String... args) {
        CommandLine line = new CommandLine(new Potstill());
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setUsageHelpAutoWidth(true);
        // A text may begin with @.
        line.setExpandAtFiles(false);
        line.setExecutionStrategy(parsed -> {
            Integer help = CommandLine.executeHelpRequest(parsed);
            if (help != null) {
                return help;
            }
            try {
                Platform.requireReadable(List.of(args));
                Platform.require();
            } catch (UserException e) {
                told(e, line);
                return USER_ERROR;
            }
            return new CommandLine.RunLast().execute(parsed);
        });
        line.setExecutionExceptionHandler((thrown, command, parsed) -> {
            if (told(thrown, line)) {
                return USER_ERROR;
            }
            throw thrown;
        });
        try {
            return args.length > 0 ? line.execute(args) : usage(line);
        } catch (Error e) {
            // Picocli knows of exceptions only.
            if (told(e, line)) {
                return USER_ERROR;
            }
            throw e;
        }
    }

    /** Says what failed, in words. @return whether its kind is known */
    private static boolean told(Throwable thrown, CommandLine line) {
        Optional<UserException> known = Failures.explain(thrown);
        if (known.isPresent() && "full".equals(System.getenv("POTSTILL_TRACES"))) {
            thrown.printStackTrace(line.getErr());
        }
        known.ifPresent(error -> line.getErr().println("potstill: " + error.getMessage()));
        line.getErr().flush();
        return known.isPresent();
    }

    private static int usage(CommandLine line) {
        line.usage(line.getErr());
        return USER_ERROR;
    }
}
