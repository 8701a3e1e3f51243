package org.potstill.spark.train;

import java.util.Set;

/** Signals that all executors that held the state are gone, so training must resume from the driver's last copy. */
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
