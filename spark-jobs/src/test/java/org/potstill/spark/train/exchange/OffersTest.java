// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.potstill.spark.Eventually;

class OffersTest {
    @Test
    void whatNobodyFetchesIsWithdrawn() throws Exception {
        AtomicInteger done = new AtomicInteger();
        StudentPool.Reading reading = new StudentPool.Reading(ByteBuffer.allocate(1), done::incrementAndGet);
        Offers offers = new Offers(50);
        String name = offers.add(reading);
        Eventually.until(() -> done.get() > 0, () -> "still offered");
        assertNull(offers.take(name));
        Offers many = new Offers(600_000);
        for (int i = 0; i < Offers.MAX; i++) {
            name = many.add(reading);
        }
        assertThrows(IllegalStateException.class, () -> many.add(reading));
        assertEquals(2, done.get());
        assertSame(reading, many.take(name));
        many.add(reading);
    }
}
