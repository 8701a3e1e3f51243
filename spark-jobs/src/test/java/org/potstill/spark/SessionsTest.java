package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;

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
}
