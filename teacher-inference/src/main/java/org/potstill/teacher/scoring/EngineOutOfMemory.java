// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

/** Signals that the engine could not allocate memory for a pass; a smaller pass may succeed. */
public final class EngineOutOfMemory extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public EngineOutOfMemory(Throwable origin) {
        super(origin);
    }
}
