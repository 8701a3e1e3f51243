// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.security.auth.login.LoginException;
import org.apache.spark.SparkException;
import org.apache.spark.util.Utils;
import org.junit.jupiter.api.Test;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.Versions;

class FailuresTest {
    private static UserException explained(Throwable thrown) {
        return Failures.explain(thrown).orElseThrow();
    }

    private static SparkException ofTask(Throwable cause) {
        return new SparkException("Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times", cause);
    }

    @Test
    void aUserErrorIsFoundBelowOthers() {
        UserException error = JobErrors.missingKeys(List.of("a"));
        assertEquals(Optional.of(error), Failures.explain(ofTask(new IllegalStateException(error))));
    }

    @Test
    void memoryThatRanOutIsSaidOfTheDriverAndOfTasks() {
        for (Throwable thrown : List.of(new OutOfMemoryError("Java heap space"),
                new IllegalArgumentException("[INVALID_DRIVER_MEMORY] System memory 314572800 must be at least 471859200. Please increase heap size"), ofTask(new OutOfMemoryError("Java heap space")),
                new SparkException("Lost task 0.0: java.lang.OutOfMemoryError: Java heap space\n\tat x"),
                new SparkException("ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: Command exited with code 52"))) {
            assertTrue(explained(thrown).remedy().contains("POTSTILL_MEMORY"), thrown.toString());
        }
        assertTrue(explained(new SparkException("Command exited with code 137")).remedy().contains("memoryOverhead"));
        assertTrue(explained(new SparkException("Reason: Command exited with code 50")).cause().contains("executor's log"));
    }

    @Test
    void aHeapBelowSparksMinimumIsNamedWithTheMinimum() {
        UserException executor = explained(new IllegalArgumentException("[INVALID_EXECUTOR_MEMORY] Executor memory 1 must be at least 471859200. Please increase"));
        assertTrue(executor.problem().contains("spark.executor.memory") && executor.remedy().contains("more than 450 MiB"), executor.getMessage());
        UserException driver = explained(new IllegalArgumentException("System memory 314572800 must be at least 471859200. Please increase"));
        assertTrue(driver.problem().contains("driver's heap") && driver.cause().contains("314,572,800") && driver.remedy().contains("450 MiB: POTSTILL_MEMORY"), driver.getMessage());
    }

    @Test
    void anUnknownHostIsNamed() {
        UserException error = explained(ofTask(new IllegalArgumentException(new UnknownHostException("nowhere"))));
        assertTrue(error.cause().contains("unknown host: nowhere") && error.remedy().contains("defaultFS"), error.getMessage());
    }

    @Test
    void aNativeLibraryThatCannotBeLoadedIsNamed() {
        UnsatisfiedLinkError link = new UnsatisfiedLinkError("/tmp/onnxruntime-java1/libonnxruntime.so: failed to map segment from shared object");
        for (Throwable thrown : List.of(link, new ExceptionInInitializerError(link), ofTask(link))) {
            assertTrue(explained(thrown).problem().contains("native library of onnxruntime"), thrown.toString());
        }
        assertTrue(explained(new NoClassDefFoundError("Could not initialize class ai.onnxruntime.OrtEnvironment")).problem().contains("native library"));
        assertTrue(explained(new NoClassDefFoundError("Could not initialize class org.xerial.snappy.Snappy")).problem().contains("native library"));
    }

    @Test
    void aFolderThatIsNamedForOnnxRuntimesLibrariesIsNamedInTheError() {
        System.setProperty("onnxruntime.native.path", "/none");
        try {
            UserException error = explained(new UnsatisfiedLinkError("/none/libonnxruntime.so: cannot open shared object file"));
            assertTrue(error.problem().contains("from /none (onnxruntime.native.path)") && error.remedy().startsWith("leave -Donnxruntime.native.path out"), error.getMessage());
            assertTrue(explained(new UnsatisfiedLinkError("libjnind4jcpu.so: none")).remedy().contains("temporary folder"));
        } finally {
            System.clearProperty("onnxruntime.native.path");
        }
    }

    /** What Hadoop wraps around the error of Java's login module. */
    @Test
    void aUserWithoutANameIsToldWhatToAdd() throws IOException {
        LoginException login = new LoginException("java.lang.NullPointerException: invalid null input: name\n\tat com.sun.security.auth.UnixPrincipal.<init>");
        UserException error = explained(new SparkException("no file system", new IOException("failure to login: " + login, login)));
        Object user = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        assertTrue(error.cause().startsWith("user " + user + " has no entry in /etc/passwd") && error.remedy().contains("echo 'spark:x:" + user + ":"), error.getMessage());
        assertEquals(Optional.empty(), Failures.explain(new LoginException("another")));
    }

    @Test
    void aClassOfAnotherVersionIsNamedWithItsJar() {
        UserException error = explained(ofTask(new NoSuchMethodError("'int org.apache.spark.SparkConf.none()'")));
        assertTrue(error.cause().contains("org.apache.spark.SparkConf comes from ") && error.remedy().contains("Spark " + String.join(" or ", Versions.sparks())), error.getMessage());
        assertTrue(explained(new NoClassDefFoundError("org/apache/none/Missing")).cause().contains("is missing"));
    }

    @Test
    void aFullDiskIsSaidWithTheFoldersForTemporaryFiles() {
        String local = Utils.getLocalDir(Distillery.spark().sparkContext().getConf());
        UserException full = explained(new UncheckedIOException(new IOException("No space left on device")));
        assertTrue(full.problem().contains("disk is full") && full.cause().contains(" MiB in " + Path.of(local).getParent()), full.getMessage());
        UserException ofTask = explained(new SparkException("Job aborted due to stage failure: Task 0 failed\n\tat a.B.c(B.java:1)\nCaused by: "
                + "java.nio.file.FileSystemException: /small/x: No space left on device\n\tat d.E.f(E.java:2)\n"));
        assertTrue(ofTask.cause().startsWith("java.nio.file.FileSystemException: /small/x: No space left on device; "), ofTask.cause());
    }

    @Test
    void anUnknownFailureKeepsItsStackTrace() {
        assertEquals(Optional.empty(), Failures.explain(ofTask(new IllegalStateException("a defect"))));
        Exception one = new IllegalStateException();
        one.initCause(new IllegalStateException(one));
        assertEquals(Optional.empty(), Failures.explain(one));
    }
}
