package org.potstill.spark.train;

import java.io.Serializable;
import org.apache.spark.broadcast.Broadcast;

/** A slice of a state that the driver gives out. */
interface DriverSlice extends Serializable {
    byte[] bytes();

    /** Gives back what executors keep of it; who asks once more has it sent again. */
    void unpersist();

    /** Gives back all that is kept for it. */
    void release();

    /** Sent to executors, which send it on to each other. */
    record Sent(Broadcast<byte[]> broadcast) implements DriverSlice {
        @Override
        public byte[] bytes() {
            return broadcast.value();
        }

        @Override
        public void unpersist() {
            broadcast.unpersist();
        }

        @Override
        public void release() {
            broadcast.destroy();
        }
    }

    /** Read where driver and executor are one process: broadcast, it would be in memory twice more. */
    record OfCopy(StateCopy copy, StateLayout layout, int index) implements DriverSlice {
        @Override
        public byte[] bytes() {
            return copy.cut(layout, index);
        }

        @Override
        public void unpersist() {
            // Nothing is kept.
        }

        @Override
        public void release() {
            // The copy goes when there is a newer one.
        }
    }
}
