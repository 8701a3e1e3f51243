package org.potstill.spark.train;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;

/**
 * What the workers train, or a slice of it.
 *
 * @param parameters   of the student
 * @param updaterState Adam's moments; empty for SGD
 */
record ModelState(float[] parameters, float[] updaterState) implements Serializable {
    long bytes() {
        return Float.BYTES * ((long) parameters.length + updaterState.length);
    }

    private Object writeReplace() {
        return new Blocks(parameters, updaterState);
    }

    /** Its serial form: blocks of bytes, so that neither the arrays' length nor a copy of them is a limit. */
    private static final class Blocks implements Serializable {
        private static final long serialVersionUID = 1L;
        private static final int BLOCK = 1 << 18;

        private transient float[] parameters;
        private transient float[] updaterState;

        Blocks(float[] parameters, float[] updaterState) {
            this.parameters = parameters;
            this.updaterState = updaterState;
        }

        private void writeObject(ObjectOutputStream out) throws IOException {
            write(parameters, out);
            write(updaterState, out);
        }

        private static void write(float[] values, ObjectOutputStream out) throws IOException {
            out.writeInt(values.length);
            for (int from = 0; from < values.length; from += BLOCK) {
                out.writeUnshared(FloatBytes.pack(values, from, Math.min(values.length, from + BLOCK)));
            }
        }

        private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
            parameters = read(in);
            updaterState = read(in);
        }

        private static float[] read(ObjectInputStream in) throws IOException, ClassNotFoundException {
            float[] values = new float[in.readInt()];
            for (int from = 0; from < values.length; from += BLOCK) {
                FloatBytes.unpack((byte[]) in.readUnshared(), values, from);
            }
            return values;
        }

        private Object readResolve() {
            return new ModelState(parameters, updaterState);
        }
    }
}
