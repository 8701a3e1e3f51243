// SPDX-License-Identifier: Apache-2.0
package org.potstill.errors;

/**
 * An error that the user can mend: the command line prints it without a stack trace.
 *
 * <p>Each module makes its own in one factory class ({@code CheckpointErrors}, {@code TeacherErrors},
 * {@code StudentErrors}, {@code JobErrors}), so that all speak in one voice.
 */
public final class UserException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String problem;
    private final String cause;
    private final String remedy;

    /**
     * @param problem what went wrong, naming the thing: "cannot read teacher.gguf: the file is truncated"
     * @param cause why: "tensor blk.3.ffn_up.weight ends at byte 913 but the file has 880"
     * @param remedy what to do now: "fetch the file again"
     */
    public UserException(String problem, String cause, String remedy) {
        this(problem, cause, remedy, null);
    }

    public UserException(String problem, String cause, String remedy, Throwable origin) {
        super(problem + "\n  cause:  " + cause + "\n  remedy: " + remedy, origin);
        this.problem = problem;
        this.cause = cause;
        this.remedy = remedy;
    }

    public String problem() {
        return problem;
    }

    public String cause() {
        return cause;
    }

    public String remedy() {
        return remedy;
    }
}
