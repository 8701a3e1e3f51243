// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.TrainJob;

/** Cache and student on a file system that offers as little as Databricks' volumes, see {@link PlainFileSystem}. */
class PlainStoreTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void register() {
        hadoop().set("fs.dbfs.impl", PlainFileSystem.class.getName());
    }

    private static Configuration hadoop() {
        return Distillery.spark().sparkContext().hadoopConfiguration();
    }

    @Test
    void aCacheIsFilledExtendedAndTrainedOn() {
        Distillery distillery = new Distillery(folder);
        Settings settings = distillery.settings("cache.path=dbfs:" + folder + "/volume/cache", "student.path=dbfs:" + folder + "/volume/student",
                "train.checkpoint-rounds=1");
        assertTrue(new LabelJob(Distillery.spark(), settings).run().scoredTokens() > 0);
        assertEquals(0, new LabelJob(Distillery.spark(), settings).run().scoredTokens());
        Distillery.write(distillery.corpus().resolve("new.txt"), Distillery.text(99, 50));
        assertTrue(new LabelJob(Distillery.spark(), settings).run().scoredTokens() > 0);
        assertTrue(new TrainJob(Distillery.spark(), settings).run().positions() > 0);
        assertTrue(new HadoopFolder("student", "dbfs:" + folder + "/volume/student", hadoop()).has("provenance.json"));
    }

    @Test
    void aFileIsReplacedAndOneThatIsNotWrittenToItsEndNeverAppears() {
        HadoopFolder files = new HadoopFolder("cache", "dbfs:" + folder + "/small", hadoop());
        files.writeText("current.json", "one");
        files.writeText("current.json", "two");
        files.create("current.json", out -> out.writeBytes("three"));
        assertEquals("two", files.readText("current.json"));
        assertThrows(UncheckedIOException.class, () -> files.create("labels.parquet", out -> {
            out.writeBytes("half a file");
            out.flush();
            assertFalse(files.has("labels.parquet"), "half a file shows under its name");
            throw new UncheckedIOException(new IOException("killed"));
        }));
        assertEquals(List.of("current.json"), files.names());
    }
}
