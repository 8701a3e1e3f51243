// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** Byte ranges that peers may fetch once, within a time limit, under an unguessable name. */
final class Offers {
    static final int MAX = 1 << 16;
    private static final int NAME_BITS = 256;

    private final SecureRandom random = new SecureRandom();
    private final Map<String, Offer> offers = new ConcurrentHashMap<>();
    private final long millis;

    private record Offer(StudentPool.Reading reading, CompletableFuture<Void> taken) {
    }

    /** @param millis time after which an offer that was not fetched is withdrawn */
    Offers(long millis) {
        this.millis = millis;
    }

    /**
     * Offers a reading and returns its name.
     *
     * @throws IllegalStateException if too many offers are pending
     */
    String add(StudentPool.Reading reading) {
        if (offers.size() >= MAX) {
            reading.done().run();
            throw new IllegalStateException("nobody fetches what is offered");
        }
        String name = new BigInteger(NAME_BITS, random).toString(Character.MAX_RADIX);
        CompletableFuture<Void> taken = new CompletableFuture<>();
        offers.put(name, new Offer(reading, taken));
        taken.orTimeout(millis, TimeUnit.MILLISECONDS).exceptionally(late -> {
            offers.remove(name);
            reading.done().run();
            return null;
        });
        return name;
    }

    /** Takes an offer; returns null if there is none of this name, or it was already taken or withdrawn. */
    StudentPool.Reading take(String name) {
        Offer offer = offers.remove(name);
        return offer != null && offer.taken().complete(null) ? offer.reading() : null;
    }
}
