// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StorageStatistics;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.S3Server;
import org.potstill.spark.settings.Settings;

/** A corpus on HDFS and on S3. */
class RemoteCorpusTest {
    @TempDir
    private java.nio.file.Path disk;

    private static Configuration hadoop() {
        return Distillery.spark().sparkContext().hadoopConfiguration();
    }

    private static void write(String folder, String name, String text) throws Exception {
        Path path = new Path(new Path(folder), new Path(null, null, name));
        try (OutputStream out = path.getFileSystem(hadoop()).create(path)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static List<String> texts(String path) {
        return new Corpus(Distillery.spark(), Settings.load(List.of(), List.of("corpus.path=\"" + path + "\""))).documents().collect().stream()
                .map(document -> document.problem() + document.text()).sorted().toList();
    }

    private static void assertReadsAwkwardNames(String root, List<String> names) throws Exception {
        for (String name : names) {
            write(root + "/json", name + ".jsonl", "{\"text\": \"" + name + "\"}\n");
            write(root + "/text/below", name + ".txt", name);
        }
        List<String> expected = names.stream().map(name -> "null" + name).sorted().toList();
        assertEquals(expected, texts(root + "/json"));
        assertEquals(expected, texts(root + "/text"));
        assertEquals(expected, texts(root + "/t*/b*/*"));
        assertEquals(List.of("nullc*"), texts(root + "/json/c*.jsonl"));
        assertThrows(UserException.class, () -> texts(root + "/none"));
        write(root + "/delta/_delta_log", "0.json", "{}");
        write(root + "/delta/date=1", "a.txt", "deleted");
        assertTrue(assertThrows(UserException.class, () -> texts(root + "/delta/date=1/*.txt")).problem().contains("Delta"));
    }

    @Test
    void namesOnHdfsAreLiteral() throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, disk.toString());
        try (MiniDFSCluster cluster = new MiniDFSCluster.Builder(configuration).numDataNodes(1).build()) {
            cluster.waitActive();
            assertReadsAwkwardNames(cluster.getURI() + "/lake", List.of("c*", "cd", "a[1]", "b{x}", "x,y", "q?", "żółć", "a b"));
        }
    }

    @Test
    void namesOnS3AreLiteralAndFilesAreListedOnce() throws Exception {
        try (S3Server server = new S3Server(disk)) {
            server.hadoop().forEach(hadoop()::set);
            String root = server.root() + "/corpus";
            assertReadsAwkwardNames(root, List.of("c*", "cd", "a[1]", "b{x}", "x,y", "12:00:00", "żółć", "a b"));
            for (int i = 0; i < 150; i++) {
                write(root + "/many", i + ".jsonl", "{\"text\": \"" + i + "\"}\n");
            }
            StorageStatistics asked = FileSystem.get(new Path(root).toUri(), hadoop()).getStorageStatistics();
            long before = requests(asked);
            var documents = new Corpus(Distillery.spark(), Settings.load(List.of(), List.of("corpus.path=" + root + "/many"))).documents();
            long listing = requests(asked) - before;
            assertTrue(listing <= 11, listing + " requests before the first task");
            assertEquals(IntStream.range(0, 150).mapToObj(String::valueOf).sorted().toList(), documents.map(Document::text).collect().stream().sorted().toList());
        }
    }

    private static long requests(StorageStatistics statistics) {
        return List.of("object_metadata_request", "object_list_request", "object_continue_list_request", "action_http_head_request").stream()
                .mapToLong(name -> statistics.isTracked(name) ? statistics.getLong(name) : 0).sum();
    }
}
