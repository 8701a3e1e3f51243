package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.potstill.errors.UserException;

class DistributedStateTest {
    @Test
    void aStateThatTheDriverMayNotCollectIsRefusedBeforeTheRound() {
        long state = 12 << 20;
        DistributedState.requireRoom(state, new SparkConf(false));
        DistributedState.requireRoom(state, new SparkConf(false).set("spark.driver.maxResultSize", "0"));
        SparkConf small = new SparkConf(false).set("spark.driver.maxResultSize", "12m");
        UserException error = assertThrows(UserException.class, () -> DistributedState.requireRoom(state, small));
        assertTrue(error.remedy().contains("spark.driver.maxResultSize"), error.getMessage());
    }
}
