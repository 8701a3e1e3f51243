// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * A cache of one expensive object per device of an executor's JVM: created by the first task that asks, shared by the others, and
 * closed and replaced on all devices when another key is requested. All tasks of a job use the same key.
 */
public final class ExecutorCache<T extends AutoCloseable> {
    private final Map<Integer, T> values = new TreeMap<>();
    private String key;

    /** Returns the object for a key, creating it if necessary, when it is not bound to a device. */
    public T get(String wanted, Supplier<T> make) {
        return get(wanted, 0, make);
    }

    /**
     * Returns the object for a key and device, creating it if necessary.
     *
     * @param device any number that identifies a device
     */
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

    /** Closes all cached objects. */
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
