package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;

class DistributedStateTest {
    @Test
    void itIsTheDriversInTheDriversOrderAndEveryWorkerHasAllOfIt() {
        JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
        ModelState whole = new ModelState(new float[] {1, 2, 3, 4, 5}, new float[] {6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, new float[0]);
        DistributedState state = DistributedState.of(sc, whole, 3);
        ModelState collected = state.collect();
        assertArrayEquals(whole.parameters(), collected.parameters());
        assertArrayEquals(whole.updaterState(), collected.updaterState());
        JavaRDD<StateSlice> everywhere = Everywhere.of(state.slices(), 4);
        List<List<StateSlice>> ofWorkers = everywhere.glom().collect();
        assertEquals(4, ofWorkers.size());
        for (List<StateSlice> slices : ofWorkers) {
            assertArrayEquals(whole.parameters(), ModelState.join(slices).parameters());
            assertArrayEquals(whole.updaterState(), ModelState.join(slices).updaterState());
        }
        state.destroy();
    }

    @Test
    void aStateThatTheDriverMayNotCollectIsRefused() {
        long state = 12 << 20;
        DistributedState.requireRoom(state, new SparkConf(false));
        DistributedState.requireRoom(state, new SparkConf(false).set("spark.driver.maxResultSize", "0"));
        SparkConf small = new SparkConf(false).set("spark.driver.maxResultSize", "12m");
        UserException error = assertThrows(UserException.class, () -> DistributedState.requireRoom(state, small));
        assertTrue(error.remedy().contains("spark.driver.maxResultSize"), error.getMessage());
    }
}
