// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.io.CompressionCodec;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.potstill.errors.UserException;
import org.potstill.spark.settings.Settings;

class SessionsTest {
    private static String plugins(String set) {
        SparkConf conf = new SparkConf(false);
        if (set != null) {
            conf.set("spark.plugins", set);
        }
        Sessions.addPlugin(conf);
        return conf.get("spark.plugins");
    }

    @Test
    void theMetricsPluginStandsOnceBesideOthers() {
        String ours = PotstillPlugin.class.getName();
        assertEquals(ours, plugins(null));
        assertEquals("com.nvidia.spark.SQLPlugin," + ours, plugins("com.nvidia.spark.SQLPlugin"));
        assertEquals("a.B, " + ours, plugins("a.B, " + ours));
    }

    @Test
    void recordsGoThroughJavasSerializerWhateverTheDefault() {
        SparkConf conf = new SparkConf(false).set("spark.master", "local[1]").set("spark.serializer", "org.apache.spark.serializer.KryoSerializer");
        Sessions.prepare(conf);
        assertEquals("org.apache.spark.serializer.JavaSerializer", conf.get("spark.serializer"));
    }

    @Test
    void aSessionThatWasThereGoesOn() {
        SparkSession spark = Distillery.spark();
        assertTrue(Sessions.isGuest());
        assertEquals(spark.sparkContext(), Sessions.run("test", Settings.load(List.of(), List.of("spark.x=1")), SparkSession::sparkContext));
        assertThrows(IllegalArgumentException.class, () -> Sessions.run("test", Settings.load(List.of(), List.of()), session -> {
            throw new IllegalArgumentException();
        }));
        assertFalse(spark.sparkContext().isStopped());
    }

    @Test
    void aSettingThatSparkRefusesIsAUserError() {
        Distillery.spark();
        UserException refused = assertThrows(UserException.class, () -> Sessions.run("test",
                Settings.load(List.of(), List.of("spark.sql.shuffle.partitions=0")), SparkSession::version));
        assertTrue(refused.cause().contains("spark.sql.shuffle.partitions") && !refused.getMessage().contains("\tat "), refused.getMessage());
    }

    @Test
    void aSettingThatSparkReadsOnlyInAJobIsAUserErrorIfItsMessageNamesIt() {
        Distillery.spark();
        Settings settings = Settings.load(List.of(), List.of("spark.io.compression.codec=zip"));
        UserException refused = assertThrows(UserException.class, () -> Sessions.run("test", settings,
                spark -> CompressionCodec.createCodec(new SparkConf(false), settings.spark().get("spark.io.compression.codec"))));
        assertTrue(refused.problem().contains("'spark.io.compression.codec'") && refused.cause().contains("zip"), refused.getMessage());
        // Of a setting that nobody made, it is a defect.
        assertThrows(IllegalArgumentException.class, () -> Sessions.run("test", Settings.load(List.of(), List.of()),
                spark -> CompressionCodec.createCodec(new SparkConf(false), "zip")));
    }
}
