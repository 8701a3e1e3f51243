// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

/** Thrown if a reply is about other tokens than the request, or lacks some. */
final class MismatchException extends Exception {
    private static final long serialVersionUID = 1L;

    MismatchException(String message) {
        super(message);
    }
}
