package org.potstill.spark.train;

/** All executors that had the state are gone: training goes on from the driver's last copy. */
final class StateLostException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    StateLostException(Throwable cause) {
        super("every copy that executors had of the training state is lost", cause);
    }
}
