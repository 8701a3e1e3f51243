// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.util.Set;
import org.potstill.spark.train.exchange.Peer;
import org.potstill.spark.train.exchange.PeersLostException;

/** Signals that all executors that held the state are gone, so training must resume from the driver's last copy. */
public final class StateLostException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final PeersLostException lost;

    StateLostException(PeersLostException lost) {
        super("every copy that executors had of the training state is lost", lost);
        this.lost = lost;
    }

    public Set<Peer> peers() {
        return lost.peers();
    }
}
