package org.potstill.teacher;

/** The engine could not allocate what a pass needs; a smaller one may go. */
final class EngineOutOfMemory extends RuntimeException {
    private static final long serialVersionUID = 1L;

    EngineOutOfMemory(Throwable origin) {
        super(origin);
    }
}
