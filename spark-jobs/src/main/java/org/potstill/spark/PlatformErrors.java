package org.potstill.spark;

import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Locale;
import org.potstill.errors.UserException;

/** User errors about the machine, its memory, Java and Spark, see {@link JobErrors}. */
public final class PlatformErrors {
    private static final String OTHER_FOLDER = "have another folder for temporary files, for instance JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=/var/tmp; "
            + "executors take it from spark.executor.extraJavaOptions";
    private static final String UTF_8_LOCALE = "set LC_ALL=C.UTF-8; on a cluster spark.executorEnv.LC_ALL, too";

    private PlatformErrors() {
    }

    /** @param remedy how its file system is added */
    static UserException noFileSystem(String setting, String path, String scheme, String remedy) {
        return new UserException("cannot reach " + path + " (" + setting + ")", "Spark has no file system for " + scheme + ":// here", remedy);
    }

    static UserException otherJava(int needed, int here) {
        return new UserException("Potstill needs Java " + needed, "here is Java " + here + " (" + System.getProperty("java.home") + ")",
                "set JAVA_HOME to a JDK " + needed + "; on a cluster spark.executorEnv.JAVA_HOME, too");
    }

    static UserException otherSpark(String neededSpark, String neededScala, String spark, String scala) {
        return new UserException("this build of Potstill needs Spark " + neededSpark + " with Scala " + neededScala,
                "here is Spark " + spark + " with Scala " + scala,
                "set SPARK_HOME to such a Spark, or build Potstill for this one: mvn package -DskipTests, with -Pspark4 for Spark 4.0");
    }

    static UserException otherSerializer(String here, String needed) {
        return new UserException("this Spark session serializes with " + here, "what tasks exchange are Java's records, which Kryo cannot read",
                "begin the session with spark.serializer = " + needed);
    }

    static UserException noexec(Path folder) {
        return new UserException("native libraries cannot be run from the folder for temporary files, " + folder, "it is mounted with noexec",
                OTHER_FOLDER);
    }

    static UserException noTemporaryFiles(Path folder, IOException origin) {
        return new UserException("cannot write to the folder for temporary files, " + folder, String.valueOf(origin.getMessage()), OTHER_FOLDER, origin);
    }

    static UserException lostLetters(String argument, Charset encoding) {
        return new UserException("an argument may have lost letters: " + argument,
                "Java replaces what is no text in the locale's encoding, " + encoding, "write it in that encoding, or " + UTF_8_LOCALE);
    }

    static UserException unreadableName(String setting, File file, Charset encoding) {
        return new UserException("a file's name cannot be read: " + file + " (" + setting + ")",
                "it is no text in the locale's encoding, " + encoding, "rename the file, or " + UTF_8_LOCALE);
    }

    static UserException settingTooLate(String key) {
        String remedy = key.equals("spark.driver.memory") ? "POTSTILL_MEMORY=8g for deploy/potstill, --driver-memory 8g for spark-submit"
                : "--conf " + key + "=... for spark-submit, which deploy/potstill takes from POTSTILL_SUBMIT";
        return new UserException(key + " comes too late in Potstill's settings",
                "Spark reads it before the driver starts, and here the driver runs already", "take it out of the settings, and give " + remedy);
    }

    static UserException outOfMemory(String what, Throwable origin) {
        return new UserException("memory ran out", what + ", with a heap of " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB in this process",
                "give the driver a larger heap (--driver-memory; POTSTILL_MEMORY=8g for deploy/potstill) and, where it is tasks on a cluster that "
                        + "fail, the executors (--executor-memory)", origin);
    }

    static UserException executorKilled(Throwable origin) {
        return new UserException("the cluster killed executors", "they took more memory than they had asked for",
                "raise spark.executor.memoryOverhead: models live outside of the heap", origin);
    }

    static UserException executorEnded(Throwable origin) {
        return new UserException("an error ended an executor", "the executor's log (stderr) tells which; often a native library that cannot be "
                + "loaded, or a jar of another version", "correct what its log says, and run the command again: what was done is kept", origin);
    }

    static UserException classClash(String what, String where, Throwable origin) {
        return new UserException("a class is not the one that Potstill was built with", what + "; " + where,
                "Potstill needs Spark " + Versions.spark() + " with Scala " + Versions.scala() + ": take jars of other versions out of spark.jars, "
                        + "spark.driver.extraClassPath, spark.executor.extraClassPath and SPARK_HOME/jars", origin);
    }

    static UserException noSpace(String what, Throwable origin) {
        return new UserException("a disk is full", what, "make room, or set spark.local.dir, teacher.scratch and java.io.tmpdir to folders on a larger disk", origin);
    }

    public static UserException noRoomForCopies(String folder, long needed, long free) {
        return new UserException(String.format(Locale.ROOT, "no room for two copies of the student's state, %,d bytes, in %s", needed, folder),
                String.format(Locale.ROOT, "%,d bytes are free there", free),
                "set spark.local.dir to a folder on a larger local disk, or make room");
    }

    /** Memory that gave out all the same. */
    public static UserException notEnoughMemory(String what, Throwable origin) {
        return new UserException("not enough memory for " + what, String.valueOf(origin.getMessage()),
                "give more: of Java's heap with POTSTILL_MEMORY (deploy/potstill), --driver-memory (spark-submit) or spark.executor.memory, outside "
                        + "of it with spark.executor.memoryOverhead or a larger machine; or ask for less at a time: train.batch-size, "
                        + "train.gradient-checkpointing, spark.task.cpus", origin);
    }

    static UserException tooLittleHeap(String what, String needs, String where, String has, String remedy) {
        return new UserException(what + " needs about " + needs + " GiB of heap on " + where + ", which has " + has,
                "that is reckoned from sizes and settings; no work was done", remedy);
    }

    static UserException tooLittleMemory(String what, String needs, String where, String has, String parts, String remedy) {
        return new UserException(what + " needs about " + needs + " GiB of memory, and " + where + " has " + has, parts, remedy);
    }
}
