// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** An expression that evaluates to a value. */
interface Expression {
    Object evaluate(Scope scope) throws TemplateException;

    /** Counts evaluations and their results against the budget. */
    static Expression counted(Expression expression) {
        return scope -> {
            scope.budget.step();
            return scope.budget.made(expression.evaluate(scope));
        };
    }

    /**
     * A call.
     *
     * @param name name of the function, for messages; empty if an expression computes the function
     */
    record Call(String name, Expression function, ArgumentList arguments) implements Expression {
        @Override
        public Object evaluate(Scope scope) throws TemplateException {
            return with(scope, null);
        }

        /**
         * Evaluates the call.
         *
         * @param caller body of the call block; null if it is not one
         */
        Object with(Scope scope, Function caller) throws TemplateException {
            scope.budget.step();
            Object called = function.evaluate(scope);
            if (!(called instanceof Function callee)) {
                String what = called instanceof Undefined ? "the function '" + name + "' is not defined"
                        : "it calls '" + name + "', which is " + Values.kind(called);
                throw new TemplateException(name.isEmpty() ? "it calls " + Values.kind(called) : what);
            }
            Function.Arguments given = arguments.evaluate(scope);
            return scope.budget.made(callee.call(caller == null ? given : given.with("caller", caller), scope.budget));
        }
    }
}
