package org.potstill.checkpoints.jinja;

/** Computes a value. */
interface Expression {
    Object of(Scope scope) throws TemplateException;

    /** The same, counted. */
    static Expression counted(Expression expression) {
        return scope -> {
            scope.budget.step();
            return scope.budget.made(expression.of(scope));
        };
    }
}
