package org.potstill.spark.train;

import java.io.Serializable;

/** Address at which an executor's {@link Exchange} listens. */
record Peer(String host, int port) implements Serializable {
    @Override
    public String toString() {
        return host + ":" + port;
    }
}
