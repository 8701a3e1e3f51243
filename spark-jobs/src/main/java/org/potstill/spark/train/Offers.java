package org.potstill.spark.train;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** What others may fetch: once, for a while, and by a name that is told to who has asked, and cannot be guessed. */
final class Offers {
    static final int MAX = 1 << 16;
    private static final int NAME_BITS = 256;

    private final SecureRandom random = new SecureRandom();
    private final Map<String, Offer> offers = new ConcurrentHashMap<>();
    private final long millis;

    private record Offer(StudentPool.Reading reading, CompletableFuture<Void> taken) {
    }

    /** @param millis after which what was not fetched is withdrawn */
    Offers(long millis) {
        this.millis = millis;
    }

    /** @return its name */
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

    /** Null if there is none, or no more. */
    StudentPool.Reading take(String name) {
        Offer offer = offers.remove(name);
        return offer != null && offer.taken().complete(null) ? offer.reading() : null;
    }
}
