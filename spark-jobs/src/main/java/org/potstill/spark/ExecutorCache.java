package org.potstill.spark;

import java.util.function.Supplier;

/**
 * One expensive thing per executor JVM: made by the first task that asks, shared by the others, replaced (and closed)
 * when another key is asked for. Tasks of one job ask for one key.
 */
public final class ExecutorCache<T extends AutoCloseable> {
    private String key;
    private T value;

    public synchronized T get(String wanted, Supplier<T> make) {
        if (!wanted.equals(key)) {
            close();
            value = make.get();
            key = wanted;
        }
        return value;
    }

    private void close() {
        T old = value;
        value = null;
        key = null;
        if (old != null) {
            try {
                old.close();
            } catch (Exception e) {
                throw new IllegalStateException("cannot close " + old, e);
            }
        }
    }
}
