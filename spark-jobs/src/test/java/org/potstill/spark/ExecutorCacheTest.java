// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExecutorCacheTest {
    private final List<String> events = new ArrayList<>();
    private final ExecutorCache<AutoCloseable> cache = new ExecutorCache<>();

    private AutoCloseable make(String name) {
        events.add("+" + name);
        return () -> events.add("-" + name);
    }

    @Test
    void eachDeviceHasItsOwnAndTasksOfOneDeviceShareIt() {
        AutoCloseable first = cache.get("teacher", 0, () -> make("0"));
        assertNotSame(first, cache.get("teacher", 1, () -> make("1")));
        assertSame(first, cache.get("teacher", 0, () -> make("never")));
        assertEquals(List.of("+0", "+1"), events);
    }

    @Test
    void anotherKeyClosesThoseOfAllDevicesBeforeItsOwnIsMade() {
        cache.get("teacher", 0, () -> make("0"));
        cache.get("teacher", 1, () -> make("1"));
        cache.get("another", 1, () -> make("2"));
        assertEquals(List.of("+0", "+1", "-0", "-1", "+2"), events);
    }

    @Test
    void whatCouldNotBeMadeIsTriedAgain() {
        assertThrows(IllegalStateException.class, () -> cache.get("teacher", () -> {
            throw new IllegalStateException();
        }));
        cache.get("teacher", () -> make("0"));
        assertEquals(List.of("+0"), events);
    }
}
