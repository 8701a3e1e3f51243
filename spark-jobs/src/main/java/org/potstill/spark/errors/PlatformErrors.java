// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.apache.commons.lang3.StringUtils;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.potstill.errors.UserException;

/** User errors about the machine, its memory, Java and Spark; see {@link JobErrors}. */
public final class PlatformErrors {
    private static final String OTHER_FOLDER = "use another temporary folder, for instance JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=/var/tmp; "
            + "set it for executors in spark.executor.extraJavaOptions";
    private static final String UTF_8_LOCALE = "set LC_ALL=C.UTF-8 and, on a cluster, spark.executorEnv.LC_ALL";

    private static final Pattern NO_SPACE = Pattern.compile("No space left on device|Disk quota exceeded|DSQuotaExceeded");

    private static final int MAX_REASON = 1_000;

    private PlatformErrors() {
    }

    /** @param remedy how to add the file system */
    public static UserException noFileSystem(String setting, String path, String scheme, String remedy) {
        return new UserException("cannot reach " + path + " (" + setting + ")", "this Spark has no file system for " + scheme + "://",
                remedy);
    }

    public static UserException otherJava(int needed, int here) {
        return new UserException("Potstill needs Java " + needed, "this is Java " + here + " (" + System.getProperty("java.home") + ")",
                "set JAVA_HOME to a JDK " + needed + " and, on a cluster, spark.executorEnv.JAVA_HOME");
    }

    /** @param hadoop the version of Hadoop that does not run on it */
    public static UserException javaTooNew(int needed, int here, String hadoop) {
        return new UserException("Potstill needs Java " + needed + " with this Spark",
                "this is Java " + here + " (" + System.getProperty("java.home") + "), on which Spark's Hadoop " + hadoop + " does not run",
                "set JAVA_HOME to a JDK " + needed + " and, on a cluster, spark.executorEnv.JAVA_HOME; or use Spark 4.2");
    }

    public static UserException otherSpark(List<String> neededSparks, String neededScala, String spark, String scala) {
        return new UserException("this build of Potstill needs Spark " + String.join(" or ", neededSparks) + " with Scala " + neededScala,
                "this is Spark " + spark + " with Scala " + scala,
                "set SPARK_HOME to a matching Spark, or build Potstill for this one: mvn package -DskipTests for Spark 3.5, with -Pspark4 for Spark 4");
    }

    public static UserException otherSerializer(String here, String needed) {
        return new UserException("this Spark session serializes with " + here, "tasks exchange Java records, which Kryo cannot deserialize",
                "start the session with spark.serializer = " + needed);
    }

    public static UserException noexec(Path folder) {
        return new UserException("cannot load native libraries from the temporary folder " + folder, "it is mounted with noexec",
                OTHER_FOLDER);
    }

    public static UserException noTemporaryFiles(Path folder, IOException origin) {
        return new UserException("cannot write to the temporary folder " + folder, String.valueOf(origin.getMessage()), OTHER_FOLDER,
                origin);
    }

    public static UserException lostLetters(String argument, Charset encoding) {
        return new UserException("an argument may have lost characters: " + argument,
                "Java replaces characters that the locale's encoding, " + encoding + ", cannot represent",
                "write it in that encoding, or " + UTF_8_LOCALE);
    }

    public static UserException unreadableName(String setting, File file, Charset encoding) {
        return new UserException("cannot read a file's name: " + file + " (" + setting + ")",
                "it is not valid in the locale's encoding, " + encoding, "rename the file, or " + UTF_8_LOCALE);
    }

    public static UserException settingTooLate(String key, String value) {
        String remedy = switch (key) {
            case "spark.driver.memory" -> "POTSTILL_MEMORY=" + value + " to deploy/potstill or --driver-memory " + value + " to spark-submit";
            case "spark.master" -> toSubmit("--master " + value);
            default -> toSubmit("--conf " + key + "=...");
        };
        return new UserException(key + " has no effect in Potstill's settings",
                "spark-submit reads it before the driver starts, and the driver is already running", "remove it from the settings, and pass "
                + remedy);
    }

    private static String toSubmit(String option) {
        return option + " to spark-submit (with deploy/potstill: POTSTILL_SUBMIT=\"" + option + "\")";
    }

    /** @param reason Spark's message */
    public static UserException refusedBySpark(String key, String reason, Throwable origin) {
        return new UserException("Spark cannot use the value of '" + key + "'", reason, "correct it in the file or with --set " + key + "=...", origin);
    }

    /**
     * A heap below Spark's minimum.
     *
     * @param executor whether it is the executors', rather than the driver's
     * @param has      bytes
     * @param needed   bytes
     */
    public static UserException heapTooSmall(boolean executor, long has, long needed, Throwable origin) {
        String least = (needed >> 20) + " MiB";
        return new UserException((executor ? "the executors' heap (spark.executor.memory)" : "the driver's heap") + " is too small for Spark",
                String.format(Locale.ROOT, "it is %,d bytes, and Spark needs at least %,d", has, needed), executor ? "set spark.executor.memory to more than " + least + ", such as 4g"
                        : "give the driver more than " + least + ": POTSTILL_MEMORY=4g for deploy/potstill, --driver-memory 4g for spark-submit", origin);
    }

    /**
     * A failure to start Spark that no other error explains.
     *
     * @param given the user's {@code spark.*} settings, one of which may be the cause
     */
    public static UserException noSession(Collection<String> given, Throwable origin) {
        Throwable root = ExceptionUtils.getRootCause(origin);
        return new UserException("Spark does not start", reason(root.getMessage() == null && origin.getMessage() != null ? origin : root),
                "correct the spark.* settings" + (given.isEmpty() ? "" : " (" + String.join(", ", given) + ")")
                        + ", spark-submit's options or spark-defaults.conf; POTSTILL_TRACES=full prints the stack trace", origin);
    }

    /** Returns a failure's message on one line, without the stack traces that Spark puts into some. */
    public static String reason(Throwable failure) {
        String message = (failure.getMessage() == null ? failure.toString() : failure.getMessage()).replaceFirst("(?s)\\R\\s*at .*", "").replaceAll("\\s*\\R\\s*", " ").strip();
        return StringUtils.abbreviate(message, MAX_REASON);
    }

    public static UserException noUserName(String user, Throwable origin) {
        return new UserException("Spark does not start: this process's user has no name", "user " + user + " has no entry in /etc/passwd; Hadoop "
                + "asks for one, whatever HADOOP_USER_NAME and HOME are", "run as a user that has one, or add it: echo 'spark:x:" + user
                + ":0::/tmp:/bin/false' >> /etc/passwd; in a container, start with the entrypoint of Spark's images, which does so", origin);
    }

    public static UserException unknownHost(String host, Throwable origin) {
        return new UserException("a server cannot be found", "unknown host: " + host,
                "check the hosts in the paths, spark.master and spark.hadoop.fs.defaultFS, and the network", origin);
    }

    public static UserException outOfMemory(String what, Throwable origin) {
        return new UserException("out of memory", what + ", with a heap of " + (Runtime.getRuntime().maxMemory() >> 20)
                + " MiB in this process",
                "give the driver a larger heap (--driver-memory; POTSTILL_MEMORY=8g for deploy/potstill) or, if tasks on a cluster fail, "
                        + "the executors (--executor-memory)", origin);
    }

    public static UserException executorKilled(Throwable origin) {
        return new UserException("the cluster killed executors", "they used more memory than they had requested",
                "raise spark.executor.memoryOverhead: models live outside the heap", origin);
    }

    public static UserException executorEnded(Throwable origin) {
        return new UserException("an error ended an executor",
                "see the executor's log (stderr); often a native library cannot be loaded, or a jar has the "
                + "wrong version", "fix the error in its log, and run the command again: finished work is kept", origin);
    }

    public static UserException classClash(String what, String where, Throwable origin) {
        return new UserException("a class differs from the one that Potstill was built with", what + "; " + where,
                "Potstill needs Spark " + String.join(" or ", Versions.sparks()) + " with Scala " + Versions.scala()
                + ": remove jars of other versions from spark.jars, "
                        + "spark.driver.extraClassPath, spark.executor.extraClassPath and SPARK_HOME/jars", origin);
    }

    /** Whether a message says that a disk is full. */
    public static boolean isDiskFull(String message) {
        return NO_SPACE.matcher(message).find();
    }

    /** @param free what is free in which of Spark's folders for temporary files on this machine */
    public static UserException noSpace(String what, Collection<String> free, Throwable origin) {
        return new UserException("a disk is full", what + "; on this machine, free for temporary files: " + String.join(", ", free),
                "free some space, or set spark.local.dir (or java.io.tmpdir) to a folder on a larger disk, on the machine that the cause names; "
                        + "then run the command again: finished work is kept", origin);
    }

    /** An allocation that failed although the memory check had passed. */
    public static UserException notEnoughMemory(String what, Throwable origin) {
        return new UserException("not enough memory for " + what, String.valueOf(origin.getMessage()),
                "enlarge the Java heap (POTSTILL_MEMORY for deploy/potstill, --driver-memory for spark-submit, spark.executor.memory) or "
                        + "the memory outside it (spark.executor.memoryOverhead, a larger machine); or reduce the need: lower train.batch-size, set "
                        + "train.gradient-checkpointing, raise spark.task.cpus", origin);
    }

    public static UserException tooLittleHeap(String what, String needs, String where, String has, String remedy) {
        return new UserException(what + " needs about " + needs + " GiB of heap on " + where + ", which has " + has,
                "this is an estimate from model sizes and settings; no work was done", remedy);
    }

    public static UserException tooLittleMemory(String what, String needs, String where, String has, String parts, String remedy) {
        return new UserException(what + " needs about " + needs + " GiB of memory, and " + where + " has " + has, parts, remedy);
    }
}
