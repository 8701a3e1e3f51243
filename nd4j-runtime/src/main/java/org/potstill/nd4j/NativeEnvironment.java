// SPDX-License-Identifier: Apache-2.0
package org.potstill.nd4j;

import com.sun.jna.Function;

/**
 * Environment variables for native libraries that are not loaded yet. Java cannot change its own environment; C's getenv
 * sees these.
 */
final class NativeEnvironment {
    private NativeEnvironment() {
    }

    static boolean has(String variable) {
        return System.getenv(variable) != null;
    }

    /** Sets a variable, unless the user has set it. Failure to set it costs only speed. */
    static void set(String variable, String value) {
        try {
            Function.getFunction("c", "setenv").invokeInt(new Object[] {variable, value, 0});
        } catch (LinkageError e) {
            return;
        }
    }
}
