package org.potstill.teacher;

/** Signals that the engine could not allocate memory for a pass; a smaller pass may succeed. */
final class EngineOutOfMemory extends RuntimeException {
    private static final long serialVersionUID = 1L;

    EngineOutOfMemory(Throwable origin) {
        super(origin);
    }
}
