// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.Serializable;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.StateLayout;

/** A slice of a state that the driver provides to executors. */
public interface DriverSlice extends Serializable {
    byte[] bytes();

    /** Frees the executors' copies; an executor that needs the slice again receives it again. */
    void unpersist();

    /** Releases everything that is kept for this slice. */
    void release();

    /** A slice that Spark broadcasts to executors. */
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

    /** A slice read from disk when driver and executor are one process, where a broadcast would hold it in memory twice more. */
    record OfCopy(StateCopy copy, StateLayout layout, int index) implements DriverSlice {
        @Override
        public byte[] bytes() {
            return copy.cut(layout, index);
        }

        @Override
        public void unpersist() {
            // There is nothing to free.
        }

        @Override
        public void release() {
            // The copy is deleted when there is a newer one.
        }
    }
}
