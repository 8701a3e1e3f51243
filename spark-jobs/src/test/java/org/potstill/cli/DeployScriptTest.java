// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;

/** {@code deploy/potstill} before a Spark that says what it was asked for: the locale, and then the arguments. */
class DeployScriptTest {
    private static final Path SCRIPT = Path.of("../deploy/potstill");

    @TempDir
    private Path folder;
    private Path script;

    private record Result(int status, List<String> lines) {
        String message() {
            return String.join("\n", lines);
        }
    }

    @BeforeEach
    void lay() throws IOException {
        script = lay(folder.resolve("potstill"));
        executable(folder.resolve("spark/bin/spark-submit"), "#!/bin/sh\necho \"LC_ALL=$LC_ALL\"\nfor word in \"$@\"; do echo \"<$word>\"; done\n");
    }

    private static Path lay(Path home) throws IOException {
        Distillery.write(home.resolve("spark-jobs/target/potstill.jar"), "");
        Distillery.write(home.resolve("conf/log4j2.properties"), "");
        return executable(home.resolve("deploy/potstill"), Files.readString(SCRIPT));
    }

    private static Path executable(Path file, String text) {
        Distillery.write(file, text);
        file.toFile().setExecutable(true);
        return file;
    }

    private Result run(Path called, Map<String, String> variables, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(called.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().retainAll(List.of("PATH"));
        builder.environment().put("SPARK_HOME", folder.resolve("spark").toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().putAll(variables);
        Process process = builder.start();
        List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        return new Result(process.waitFor(), lines);
    }

    @Test
    void argumentsAreHandedOnAsTheyAre() throws Exception {
        Result result = run(script, Map.of(), "label", "--set", "a=b  c", "--set", "d=\"#$x\"");
        assertEquals(0, result.status(), result.message());
        assertEquals(List.of("<label>", "<--set>", "<a=b  c>", "<--set>", "<d=\"#$x\">"), result.lines().subList(result.lines().size() - 5, result.lines().size()));
    }

    @Test
    void aFolderWithBlanksBreaksNoOptionForJava() throws Exception {
        Result result = run(lay(folder.resolve("a b#%")), Map.of(), "defaults");
        assertTrue(result.lines().contains("<spark.driver.defaultJavaOptions=-Dlog4j2.configurationFile=file:" + folder + "/a%20b%23%25/conf/log4j2.properties>"), result.message());
        assertTrue(result.lines().contains("<" + folder + "/a b#%/spark-jobs/target/potstill.jar>"), result.message());
    }

    @Test
    void theVectorApiIsAddedWhereAStudentComputes() throws Exception {
        String simd = "--add-modules=jdk.incubator.vector";
        for (String command : List.of("train", "distil", "export")) {
            String said = run(script, Map.of(), command).message();
            assertTrue(said.contains("<spark.driver.defaultJavaOptions=" + simd + " -Dlog4j2") && said.contains("<spark.executor.defaultJavaOptions=" + simd + ">"), said);
        }
        assertFalse(run(script, Map.of(), "label").message().contains(simd));
    }

    @Test
    void noFileTakesThePlaceOfAClosedStandardStream() throws Exception {
        executable(folder.resolve("spark/bin/spark-submit"), "#!/bin/sh\nstreams=$(for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done)\necho \"$streams\" > \"$OUT\"\n");
        Path out = folder.resolve("out");
        run(Path.of("/bin/bash"), Map.of("OUT", out.toString()), "-c", "exec \"$0\" generate <&- >&- 2>&-", script.toString());
        assertEquals(List.of("/dev/null", "/dev/null", "/dev/null"), Files.readAllLines(out));
    }

    @Test
    void byALinkItIsTheSameScript() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("potstill/deploy/potstill"));
        Path second = Files.createSymbolicLink(Files.createDirectory(folder.resolve("bin")).resolve("potstill"), link);
        assertEquals(run(script, Map.of(), "defaults"), run(second, Map.of(), "defaults"));
    }

    @Test
    void aLocaleIsSetWhereThereIsNone() throws Exception {
        for (Map<String, String> none : List.of(Map.<String, String>of(), Map.of("LC_ALL", "C"), Map.of("LANG", "POSIX"), Map.of("LANG", "xx_YY.UTF-8"))) {
            Result result = run(script, none, "defaults");
            assertTrue(result.lines().get(0).matches("LC_ALL=.*\\.(UTF-8|utf8)"), none + ": " + result.message());
            assertTrue(result.message().contains("spark.executorEnv.LC_ALL="), result.message());
        }
        assertEquals("LC_ALL=", run(script, Map.of("LANG", "C.UTF-8"), "defaults").lines().get(0));
    }

    @Test
    void whatIsMissingIsOneSentence() throws Exception {
        Path other = executable(folder.resolve("jdk/bin/java"), "#!/bin/sh\necho 'openjdk version \"25.0.1\" 2025-10-21' >&2\n").getParent().getParent();
        Path old = executable(folder.resolve("jre/bin/java"), "#!/bin/sh\necho 'java version \"1.8.0_392\"' >&2\n").getParent().getParent();
        Path jars = folder.resolve("spark/jars");
        Distillery.write(jars.resolve("hadoop-client-api-3.4.2.jar"), "");
        Map<Map<String, String>, String> cases = new TreeMap<>((one, two) -> one.toString().compareTo(two.toString()));
        cases.put(Map.of("SPARK_HOME", "/nowhere"), "bin/spark-submit");
        cases.put(Map.of("JAVA_HOME", other.toString()), "is Java 25");
        cases.put(Map.of("JAVA_HOME", old.toString()), "is Java 8");
        cases.put(Map.of("JAVA_HOME", "/nowhere"), "/nowhere/bin/java");
        cases.put(Map.of("SPARK_HOME", ""), "Spark's jars are not laid out");
        Path nobody = executable(folder.resolve("nobody/id"), "#!/bin/sh\n[ \"$1\" = -u ] && echo 12345\n").getParent();
        cases.put(Map.of("PATH", nobody + ":" + System.getenv("PATH")), "user 12345 has no entry in /etc/passwd");
        for (Map.Entry<Map<String, String>, String> each : cases.entrySet()) {
            Result result = run(script, each.getKey(), "defaults");
            assertEquals(2, result.status(), result.message());
            assertTrue(result.lines().size() == 1 && result.message().startsWith("potstill: ") && result.message().contains(each.getValue()), result.message());
        }
        Files.move(jars.resolve("hadoop-client-api-3.4.2.jar"), jars.resolve("hadoop-client-api-3.5.0.jar"));
        assertEquals(0, run(script, Map.of("JAVA_HOME", other.toString()), "defaults").status(), "from Hadoop 3.5 on");
        Files.delete(folder.resolve("potstill/spark-jobs/target/potstill.jar"));
        assertTrue(run(script, Map.of(), "defaults").message().contains("mvn package"));
    }
}
