// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** A part of a template that writes text. */
interface Statement {
    /** Continuation of the enclosing loop. */
    enum Flow { NEXT, BREAK, CONTINUE }

    Statement NOTHING = (scope, out) -> Flow.NEXT;

    Flow run(Scope scope, StringBuilder out) throws TemplateException;

    /** Runs the statement and returns its output. */
    default String text(Scope scope) throws TemplateException {
        StringBuilder text = new StringBuilder();
        run(scope, text);
        scope.budget.made(text.toString());
        return text.toString();
    }

    /** Adds the line of a statement to its errors. */
    static Statement at(int line, Statement statement) {
        return (scope, out) -> {
            try {
                return statement.run(scope, out);
            } catch (TemplateException e) {
                throw e.at(line);
            }
        };
    }
}
