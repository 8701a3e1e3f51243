package org.potstill.nd4j;

import com.sun.jna.Function;

/** Variables for native libraries that are not loaded yet. Java cannot change its environment; C's getenv sees this one. */
final class NativeEnvironment {
    private NativeEnvironment() {
    }

    static boolean has(String variable) {
        return System.getenv(variable) != null;
    }

    /** A value that the user set stays. Where it cannot be set things are slower, but right. */
    static void set(String variable, String value) {
        try {
            Function.getFunction("c", "setenv").invokeInt(new Object[] {variable, value, 0});
        } catch (LinkageError e) {
            return;
        }
    }
}
