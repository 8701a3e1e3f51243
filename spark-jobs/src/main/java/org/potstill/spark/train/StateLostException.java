package org.potstill.spark.train;

import java.util.Set;

/** All executors that had the state are gone: training goes on from the driver's last copy. */
final class StateLostException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final PeersLostException lost;

    StateLostException(PeersLostException lost) {
        super("every copy that executors had of the training state is lost", lost);
        this.lost = lost;
    }

    Set<Peer> peers() {
        return lost.peers();
    }
}
