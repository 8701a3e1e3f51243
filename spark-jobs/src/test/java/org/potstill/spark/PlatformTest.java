// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.util.VersionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;

class PlatformTest {
    @TempDir
    private Path folder;

    @Test
    void whatTheTestsRunOnIsFit() {
        assertDoesNotThrow(Platform::require);
    }

    @Test
    void anotherJavaIsNamedWithTheOneThatIsNeeded() {
        for (int version : new int[] {8, 11, 24, 25}) {
            UserException error = assertThrows(UserException.class, () -> Platform.requireJava(version, () -> false));
            assertTrue(error.problem().contains("Java 17") && error.cause().contains("Java " + version), error.getMessage());
            assertEquals(version > 17, error.cause().contains("Hadoop " + VersionInfo.getVersion()), error.getMessage());
        }
        assertDoesNotThrow(() -> Platform.requireJava(17, () -> false));
        assertDoesNotThrow(() -> Platform.requireJava(25, () -> true));
    }

    @Test
    void anotherSparkOrScalaIsNamedWithTheOneThatIsNeeded() {
        String here = Versions.spark() + "-amzn-0";
        assertDoesNotThrow(() -> Platform.requireSpark(here, Versions.scala() + ".99"));
        UserException spark = assertThrows(UserException.class, () -> Platform.requireSpark("9.3.0", Versions.scala() + ".1"));
        assertTrue(Versions.sparks().stream().allMatch(spark.problem()::contains) && spark.cause().contains("9.3.0"), spark.getMessage());
        assertThrows(UserException.class, () -> Platform.requireSpark(here, "2.14.0"));
    }

    @Test
    void aFolderForTemporaryFilesThatIsNoneIsNamed() {
        Path none = folder.resolve("none");
        assertTrue(assertThrows(UserException.class, () -> Platform.requireTemporaryFolder(none)).problem().contains(none.toString()));
    }

    @Test
    void anArgumentThatLostItsLettersIsRefused() {
        Platform.requireReadable(List.of("a", "été", "who??"), StandardCharsets.UTF_8);
        Platform.requireReadable(List.of("a", "who?"), StandardCharsets.US_ASCII);
        assertThrows(UserException.class, () -> Platform.requireReadable(List.of("a", "corpus.path=????"), StandardCharsets.US_ASCII));
        assertThrows(UserException.class, () -> Platform.requireReadable(List.of("caf\uFFFD"), StandardCharsets.UTF_8));
        assertTrue(assertThrows(UserException.class, () -> Platform.requireReadable(List.of("y\uFFFD"), StandardCharsets.ISO_8859_1)).remedy().contains("LC_ALL"));
    }

    @ParameterizedTest
    @CsvSource({"s3a://b/x,--packages org.apache.hadoop:hadoop-aws:3", "gs://b/x,gcs-connector", "abfss://c@a/x,hadoop-azure:", "s3://b/x,write s3a://b/x",
        "lakefs://r/x,spark.hadoop.fs.lakefs.impl"})
    void aPathWithoutItsFileSystemIsRefusedWithWhatIsMissing(String path, String remedy) {
        Settings settings = Settings.load(List.of(), List.of("evaluate.corpora.a=" + path));
        Configuration hadoop = new Configuration();
        // The tests have Hadoop's own.
        hadoop.set("fs.s3a.impl", "none.S3AFileSystem");
        UserException error = assertThrows(UserException.class, () -> Platform.requirePaths(settings, hadoop));
        assertTrue(error.remedy().contains(remedy) && error.problem().contains("evaluate.corpora.a"), error.getMessage());
        // A file of settings is read as spark.hadoop says.
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(path), List.of("spark.hadoop.fs.s3a.impl=none.S3AFileSystem")))
                .remedy().contains(remedy));
    }

    @Test
    void aCorpusOnTheWebIsToBeDownloaded() {
        Settings settings = Settings.load(List.of(), List.of("corpus.path=https://example.org/corpus.txt"));
        assertTrue(assertThrows(UserException.class, () -> Platform.requirePaths(settings, new Configuration())).remedy().contains("download"));
    }

    @Test
    void aLocalPathNamesNoHost() {
        for (String key : List.of("corpus.path", "cache.path", "student.path")) {
            Settings settings = Settings.load(List.of(), List.of(key + "=file://localhost/data/x"));
            UserException error = assertThrows(UserException.class, () -> Platform.requirePaths(settings, new Configuration()));
            assertTrue(error.getMessage().contains(key) && error.getMessage().contains("write file:///data/x"), error.getMessage());
        }
    }

    @Test
    void pathsOfFileSystemsThatAreThereAreNotTouched() {
        Platform.requirePaths(Settings.load(List.of(), List.of("corpus.path=/no/such", "cache.path=file:///no/such", "student.path=relative",
                "teacher.path=hdfs://nowhere/x")), new Configuration());
    }
}
