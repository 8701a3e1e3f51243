// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;

class MemoryNeedTest {
    private static final long GIB = 1L << 30;

    private static MemoryNeed need(String master, String... settings) {
        SparkConf conf = new SparkConf(false).set("spark.master", master);
        for (int i = 0; i < settings.length; i += 2) {
            conf.set(settings[i], settings[i + 1]);
        }
        return new MemoryNeed(conf, "a run", "ask for less");
    }

    @Test
    void aHeapThatDoesNotSufficeIsRefusedWithTheSettingThatWould() {
        UserException driver = assertThrows(UserException.class, () -> need("local[2]").workers(1L << 40, 0, 0));
        assertTrue(driver.problem().startsWith("a run needs about 1024.4 GiB of heap on the driver, which has "), driver.getMessage());
        assertEquals("set POTSTILL_MEMORY=1025g for deploy/potstill, --driver-memory 1025g for spark-submit; or ask for less", driver.remedy());
        UserException executor = assertThrows(UserException.class, () -> need("spark://host:7077").workers(2 * GIB, 0, 0));
        assertTrue(executor.problem().contains("on each executor, which has 1.0"), executor.getMessage());
        assertTrue(executor.remedy().startsWith("set spark.executor.memory = 3g"), executor.getMessage());
        assertDoesNotThrow(() -> need("spark://host:7077", "spark.executor.memory", "3g").workers(2 * GIB, 0, 0));
    }

    @Test
    void whereAnEstimateIsNearTheRunIsWarnedAndGoesOn() {
        assertDoesNotThrow(() -> need("yarn").workers(GIB - MemoryNeed.HEAP + GIB / 20, 0, 0));
        assertDoesNotThrow(() -> need("yarn").workers(0, 0, 1L << 40));
    }

    @Test
    void aMachineThatIsTooSmallIsRefused() {
        UserException error = assertThrows(UserException.class, () -> need("local[2]").workers(0, 1L << 42, 0));
        assertTrue(error.problem().contains("GiB of memory, and the driver's machine has"), error.getMessage());
    }

    /** Others let executors take what they take. */
    @ParameterizedTest
    @ValueSource(strings = {"yarn", "k8s://https://host"})
    void aContainerThatIsTooSmallIsRefusedWithTheSettingThatWouldSuffice(String master) {
        UserException error = assertThrows(UserException.class, () -> need(master).workers(0, 8 * GIB, 0));
        assertTrue(error.remedy().startsWith("set spark.executor.memoryOverhead = 9g"), error.getMessage());
        assertDoesNotThrow(() -> need(master, "spark.executor.memoryOverhead", "9g").workers(0, 8 * GIB, 0));
        assertDoesNotThrow(() -> need("spark://host:7077").workers(0, 8 * GIB, 0));
    }
}
