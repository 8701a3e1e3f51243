package org.potstill.spark;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * An expensive thing of which each device of an executor JVM has one: made by the first task that asks, shared by the
 * others, replaced (and closed) on all devices when another key is asked for. Tasks of one job ask for one key.
 */
public final class ExecutorCache<T extends AutoCloseable> {
    private final Map<Integer, T> values = new TreeMap<>();
    private String key;

    /** For things that do not live on a device. */
    public T get(String wanted, Supplier<T> make) {
        return get(wanted, 0, make);
    }

    /** @param device any number that tells devices apart */
    public synchronized T get(String wanted, int device, Supplier<T> make) {
        if (!wanted.equals(key)) {
            clear();
            key = wanted;
        }
        T value = values.get(device);
        if (value == null) {
            value = make.get();
            values.put(device, value);
        }
        return value;
    }

    /** Closes all that there is. */
    public synchronized void clear() {
        Map<Integer, T> old = new TreeMap<>(values);
        values.clear();
        key = null;
        for (T value : old.values()) {
            try {
                value.close();
            } catch (Exception e) {
                throw new IllegalStateException("cannot close " + value, e);
            }
        }
    }
}
