// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.util.HashSet;
import java.util.Set;

/** Signals that data could not be fetched from any executor; at least these have died or do not answer. */
public final class PeersLostException extends Exception {
    private static final long serialVersionUID = 1L;
    private final HashSet<Peer> peers;

    public PeersLostException(Set<Peer> peers, Throwable cause) {
        super("no answer from " + peers, cause);
        this.peers = new HashSet<>(peers);
    }

    /** Returns the exception of an executor that has not what only it could have. */
    static PeersLostException here() {
        return new PeersLostException(Set.of(Exchange.get().address()), null);
    }

    public Set<Peer> peers() {
        return peers;
    }

    /** Merges this with another exception, which may be null. */
    public PeersLostException and(PeersLostException other) {
        if (other == null) {
            return this;
        }
        Set<Peer> all = new HashSet<>(peers);
        all.addAll(other.peers);
        return new PeersLostException(all, getCause());
    }
}
