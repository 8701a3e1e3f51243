// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.Serializable;

/** Address at which an executor's {@link Exchange} listens. */
public record Peer(String host, int port) implements Serializable {
    @Override
    public String toString() {
        return host + ":" + port;
    }
}
