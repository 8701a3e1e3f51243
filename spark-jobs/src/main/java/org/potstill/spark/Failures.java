// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.File;
import java.io.IOException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.security.auth.login.LoginException;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkException;
import org.apache.spark.util.Utils;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.PlatformErrors;

/** Translation of failures of Java, Spark and other libraries into user errors. */
public final class Failures {
    private static final int MAX_CAUSES = 64;
    private static final Pattern LIBRARY = Pattern.compile("lib([A-Za-z0-9_-]+)[A-Za-z0-9._-]*\\.so");
    private static final Pattern NATIVE_CLASS = Pattern.compile("(ai\\.onnxruntime|ai\\.djl|org\\.xerial\\.snappy|com\\.github\\.luben\\.zstd|org\\.nd4j|org\\.bytedeco)\\b.*");
    private static final Pattern CLASS = Pattern.compile("([a-z][\\w$]*[./])+[A-Z][\\w$]*");
    private static final Pattern OUT_OF_MEMORY = Pattern.compile("java\\.lang\\.OutOfMemoryError: ([^\\n]*)|exited with code (52)");
    private static final Pattern KILLED = Pattern.compile("exited with code 137|xceeding (physical )?memory limits|OOMKilled");
    private static final Pattern UNCAUGHT = Pattern.compile("exited with code 5[01]\\b");
    /** Java's login module on a user without an entry in /etc/passwd. */
    private static final String NO_USER_NAME = "invalid null input: name";
    private static final Pattern SMALL_HEAP = Pattern.compile("(System|Executor) memory ([0-9]+) must be at least ([0-9]+)");

    private Failures() {
    }

    /** Finds the user error that explains a failure; empty if its kind is unknown, and only its stack trace can be shown. */
    public static Optional<UserException> explain(Throwable thrown) {
        List<Throwable> causes = causes(thrown);
        return within(thrown).or(() -> causes.stream().flatMap(cause -> known(cause).stream()).findFirst())
                .or(() -> causes.stream().filter(SparkException.class::isInstance).flatMap(cause -> told(cause).stream()).findFirst());
    }

    private static Optional<UserException> known(Throwable thrown) {
        String message = String.valueOf(thrown.getMessage());
        if (thrown instanceof OutOfMemoryError) {
            return Optional.of(PlatformErrors.outOfMemory(message, thrown));
        }
        if (thrown instanceof UnknownHostException) {
            return Optional.of(PlatformErrors.unknownHost(message, thrown));
        }
        if (thrown instanceof LoginException && message.contains(NO_USER_NAME)) {
            return Optional.of(PlatformErrors.noUserName(user(), thrown));
        }
        if (thrown instanceof UnsatisfiedLinkError || thrown instanceof LinkageError && isNative(message)) {
            return Optional.of(NativeLibraries.failure(library(message), thrown));
        }
        // An initializer's own failure is the next cause.
        if (thrown instanceof LinkageError && !(thrown instanceof ExceptionInInitializerError)) {
            return Optional.of(PlatformErrors.classClash(message, origin(message), thrown));
        }
        Matcher small = SMALL_HEAP.matcher(message);
        if (small.find()) {
            return Optional.of(PlatformErrors.heapTooSmall(small.group(1).equals("Executor"), Long.parseLong(small.group(2)), Long.parseLong(small.group(3)), thrown));
        }
        // The stack trace of a failed task is part of the message.
        return message.lines().filter(PlatformErrors::isDiskFull).findFirst()
                .map(line -> PlatformErrors.noSpace(line.strip().replaceFirst("^Caused by: ", ""), free(), thrown));
    }

    /** Returns the number of this process's user. */
    private static String user() {
        try {
            return String.valueOf(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        } catch (IOException | UnsupportedOperationException e) {
            return String.valueOf(System.getProperty("user.name"));
        }
    }

    /** Describes the free space in this process's folders for temporary files, Spark's first. */
    private static List<String> free() {
        List<String> folders = new ArrayList<>();
        if (SparkEnv.get() != null) {
            folders.addAll(List.of(Utils.getConfiguredLocalDirs(SparkEnv.get().conf())));
        }
        folders.add(System.getProperty("java.io.tmpdir"));
        return folders.stream().distinct().map(folder -> String.format(Locale.ROOT, "%,d MiB in %s", new File(folder).getUsableSpace() >> 20, folder))
                .toList();
    }

    /** Explains a failed task by Spark's message, where the task's own exception did not reach the driver. */
    private static Optional<UserException> told(Throwable thrown) {
        String message = String.valueOf(thrown.getMessage());
        Matcher memory = OUT_OF_MEMORY.matcher(message);
        if (memory.find()) {
            return Optional.of(PlatformErrors.outOfMemory(memory.group(1) == null ? "an executor ended because of it" : memory.group(1),
                    thrown));
        }
        if (UNCAUGHT.matcher(message).find()) {
            return Optional.of(PlatformErrors.executorEnded(thrown));
        }
        return KILLED.matcher(message).find() ? Optional.of(PlatformErrors.executorKilled(thrown)) : Optional.empty();
    }

    private static boolean isNative(String message) {
        Matcher named = CLASS.matcher(message);
        return message.contains("UnsatisfiedLinkError") || named.find() && NATIVE_CLASS.matcher(named.group().replace('/', '.')).matches()
                && message.startsWith("Could not initialize");
    }

    private static String library(String message) {
        Matcher file = LIBRARY.matcher(message);
        Matcher named = CLASS.matcher(message);
        return file.find() ? file.group(1) : named.find() ? named.group() : "a library";
    }

    /** Names the jar of the class that a message mentions. */
    private static String origin(String message) {
        Matcher named = CLASS.matcher(message);
        while (named.find()) {
            try {
                CodeSource source = Class.forName(named.group().replace('/', '.'), false, Thread.currentThread().getContextClassLoader())
                        .getProtectionDomain().getCodeSource();
                if (source != null) {
                    return named.group() + " comes from " + source.getLocation();
                }
            } catch (ClassNotFoundException | LinkageError e) {
                return named.group() + " is missing";
            }
        }
        return "a jar of another version comes first on the class path";
    }

    /** Whether it was caused by lack of memory, here or in another process, whose errors arrive as text. */
    public static boolean isOutOfMemory(Throwable thrown) {
        return causes(thrown).stream()
                .anyMatch(at -> at instanceof OutOfMemoryError || String.valueOf(at.getMessage()).contains("OutOfMemoryError"));
    }

    /** It, or the first of its causes, that is of a class. */
    public static <T extends Throwable> Optional<T> firstCause(Throwable thrown, Class<T> type) {
        return causes(thrown).stream().filter(type::isInstance).map(type::cast).findFirst();
    }

    /** The user error at the root of what Spark threw, if there is one. */
    public static Optional<UserException> within(Throwable thrown) {
        return firstCause(thrown, UserException.class);
    }

    /** Lists a failure and its causes, a limited number since causes may be circular. */
    static List<Throwable> causes(Throwable thrown) {
        List<Throwable> causes = new ArrayList<>();
        for (Throwable at = thrown; at != null && causes.size() < MAX_CAUSES; at = at.getCause()) {
            causes.add(at);
        }
        return causes;
    }
}
