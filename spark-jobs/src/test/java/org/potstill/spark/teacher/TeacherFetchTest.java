// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.io.Precision;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.teacher.scoring.TeacherOptions;

/** From Hadoop's viewfs, which is not local to whoever asks it: its mount here is a local folder. */
class TeacherFetchTest {
    @TempDir
    private Path folder;
    private Path remote;
    private Path scratch;

    @BeforeEach
    void folders() {
        remote = folder.resolve("remote");
        scratch = folder.resolve("scratch");
    }

    private static Path fetch(String name, Path remote, Path scratch) {
        // Hadoop keeps file systems by name: each remote folder is another.
        String mount = "mount" + Integer.toUnsignedString(remote.hashCode());
        Configuration hadoop = new Configuration();
        hadoop.set("fs.viewfs.mounttable." + mount + ".link./models", remote.toUri().toString());
        return new TeacherSource("viewfs://" + mount + "/models/" + name, scratch.toString(), TeacherOptions.Engine.ONNX,
                TeacherOptions.Device.CPU, Precision.FP32, 0, TargetSpec.topK(8))
                .localPath(hadoop);
    }

    private Path fetch(String name) {
        return fetch(name, remote, scratch);
    }

    private void put(String name, int bytes) {
        byte[] content = new byte[bytes];
        new Random(name.hashCode()).nextBytes(content);
        Distillery.write(remote.resolve(name), content);
    }

    private static Set<String> tree(Path folder) throws Exception {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).map(f -> folder.relativize(f).toString()).collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static Object inode(Path file) throws Exception {
        return Files.readAttributes(file, java.nio.file.attribute.BasicFileAttributes.class).fileKey();
    }

    @Test
    void aFileIsCopiedOnceAndAgainWhenItIsReplacedWhileTheOldCopyStays() throws Exception {
        put("teacher.gguf", 3_000_000);
        Path copy = fetch("teacher.gguf");
        assertEquals("teacher.gguf", copy.getFileName().toString());
        assertArrayEquals(Files.readAllBytes(remote.resolve("teacher.gguf")), Files.readAllBytes(copy));
        Object inode = inode(copy);
        assertEquals(copy, fetch("teacher.gguf"));
        assertEquals(inode, inode(copy));
        Files.setLastModifiedTime(remote.resolve("teacher.gguf"), FileTime.fromMillis(1_000_000_000_000L));
        assertNotEquals(copy, fetch("teacher.gguf"));
        assertEquals(inode, inode(copy));
    }

    @Test
    void aPartOfASplitModelComesWithTheOthers() throws Exception {
        for (String name : List.of("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b-00001-of-00002.gguf", "a-00001-of-00003.gguf", "a.gguf")) {
            put(name, 100);
        }
        Path copy = fetch("a-00002-of-00002.gguf");
        assertEquals("a-00002-of-00002.gguf", copy.getFileName().toString());
        assertEquals(Set.of("a-00001-of-00002.gguf", "a-00002-of-00002.gguf"), tree(copy.getParent()));
    }

    @Test
    void ofAHuggingFaceFolderComeTheWeightsOnceAndWhatDescribesThem() throws Exception {
        for (String name : List.of("config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                "model.safetensors.index.json", "merges.txt", "pytorch_model.bin", ".gitattributes", "odd name.json",
                "onnx/model.onnx", "original/consolidated.00.pth", "additional_chat_templates/tool_use.jinja")) {
            put("llama/" + name, 100);
        }
        assertEquals(Set.of("additional_chat_templates/tool_use.jinja", "config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                "model.safetensors.index.json", "merges.txt"), tree(fetch("llama")));
    }

    @Test
    void aFolderWithoutSafetensorsComesWithItsOnnxFolder() throws Exception {
        for (String name : List.of("config.json", "tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/deep/er.bin")) {
            put("exported/" + name, 100);
        }
        assertEquals(Set.of("config.json", "tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data"), tree(fetch("exported")));
    }

    @Test
    void anOnnxFileComesWithItsExternalDataAndItsTokenizerButNotWithItsVariants() throws Exception {
        for (String name : List.of("config.json", "tokenizer.json", "model.safetensors", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/weights.bin",
                "onnx/model_fp16.onnx", "onnx/model_fp16.onnx_data", "additional_chat_templates/tool_use.jinja")) {
            put("exported/" + name, 100);
        }
        Path model = fetch("exported/onnx/model.onnx");
        assertTrue(model.endsWith("onnx/model.onnx"));
        assertEquals(Set.of("additional_chat_templates/tool_use.jinja", "config.json", "tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/weights.bin"),
                tree(model.getParent().getParent()));
    }

    @Test
    void threadsThatAskAtOnceGetOneCopy() throws Exception {
        put("big/config.json", 10);
        put("big/model.safetensors", 20_000_000);
        ExecutorService threads = Executors.newFixedThreadPool(6);
        List<Future<Object>> results = threads.invokeAll(java.util.Collections.nCopies(6,
                (Callable<Object>) () -> inode(fetch("big").resolve("model.safetensors"))));
        threads.shutdown();
        for (Future<Object> result : results) {
            assertEquals(results.get(0).get(), result.get());
        }
        try (Stream<Path> fetched = Files.list(scratch.resolve("fetched"))) {
            assertEquals(1, fetched.filter(Files::isDirectory).count());
        }
    }

    /** @param args remote folder, scratch folder */
    public static void main(String[] args) throws Exception {
        System.out.print("inode " + inode(fetch("big", Path.of(args[0]), Path.of(args[1])).resolve("model.safetensors")));
    }

    @Test
    void processesThatAskAtOnceGetOneCopy() throws Exception {
        put("big/model.safetensors", 50_000_000);
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            processes.add(new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx128m", "-cp",
                    System.getProperty("java.class.path"), TeacherFetchTest.class.getName(), remote.toString(), scratch.toString())
                    .redirectError(folder.resolve("err-" + i).toFile()).redirectOutput(folder.resolve("out-" + i).toFile()).start());
        }
        List<String> inodes = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            assertTrue(processes.get(i).waitFor(60, TimeUnit.SECONDS));
            assertEquals(0, processes.get(i).exitValue(), Files.readString(folder.resolve("err-" + i)));
            inodes.add(Files.readString(folder.resolve("out-" + i)));
        }
        assertTrue(inodes.get(0).startsWith("inode "), inodes.toString());
        assertEquals(inodes.get(0), inodes.get(1));
    }

    @Test
    void whatAKilledCopyLeftBehindAndDamageAreMended() throws Exception {
        put("teacher.gguf", 1000);
        Path copy = fetch("teacher.gguf");
        Files.write(copy, new byte[10]);
        Path incoming = copy.getParent().resolveSibling(copy.getParent().getFileName() + ".incoming");
        Distillery.write(incoming.resolve("teacher.gguf"), new byte[3]);
        assertEquals(copy, fetch("teacher.gguf"));
        assertEquals(1000, Files.size(copy));
    }

    @Test
    void aTeacherLargerThanTheDiskIsRefusedBeforeAnythingIsCopied() throws Exception {
        Files.createDirectories(remote);
        try (RandomAccessFile sparse = new RandomAccessFile(remote.resolve("huge.gguf").toFile(), "rw")) {
            sparse.setLength(8L << 40);
        }
        UserException error = assertThrows(UserException.class, () -> fetch("huge.gguf"));
        assertTrue(error.cause().contains("8,796,093,022,208 bytes"), error.getMessage());
        assertTrue(error.remedy().contains("teacher.scratch"));
        assertEquals(Set.of(), tree(scratch).stream().filter(f -> !f.endsWith(".lock")).collect(Collectors.toSet()));
    }

    @Test
    void aRunLabelsWithAFetchedTeacher() throws Exception {
        Distillery distillery = new Distillery(folder);
        Distillery.spark().sparkContext().hadoopConfiguration()
                .set("fs.viewfs.mounttable.label.link./models", folder.toUri().toString());
        LabelSummary summary = new LabelJob(Distillery.spark(), distillery.settings("teacher.path=viewfs://label/models/teacher.gguf")).run();
        assertEquals(summary.corpus().positions(), summary.scoredTokens());
        assertTrue(tree(scratch.resolve("fetched")).stream().anyMatch(file -> file.endsWith("/teacher.gguf")));
    }
}
