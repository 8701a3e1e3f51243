// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** Writes its part of the text. */
interface Statement {
    /** How a loop goes on. */
    enum Flow { NEXT, BREAK, CONTINUE }

    Statement NOTHING = (scope, out) -> Flow.NEXT;

    Flow run(Scope scope, StringBuilder out) throws TemplateException;

    /** What it writes, for use as a value. */
    default String text(Scope scope) throws TemplateException {
        StringBuilder text = new StringBuilder();
        run(scope, text);
        scope.budget.made(text.toString());
        return text.toString();
    }

    /** The same, whose errors say where it begins. */
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
