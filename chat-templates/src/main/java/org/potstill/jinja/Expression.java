// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** Computes a value. */
interface Expression {
    Object evaluate(Scope scope) throws TemplateException;

    /** The same, counted. */
    static Expression counted(Expression expression) {
        return scope -> {
            scope.budget.step();
            return scope.budget.made(expression.evaluate(scope));
        };
    }

    /** @param name as the template spells what is called, for a message; empty where that is more than a name */
    record Call(String name, Expression function, ArgumentList arguments) implements Expression {
        @Override
        public Object evaluate(Scope scope) throws TemplateException {
            return with(scope, null);
        }

        /** @param caller what a call block passes; null for none */
        Object with(Scope scope, Function caller) throws TemplateException {
            scope.budget.step();
            Object called = function.evaluate(scope);
            if (!(called instanceof Function callee)) {
                String what = called instanceof Undefined ? "there is no function '" + name + "' here"
                        : "it calls '" + name + "', which is " + Values.kind(called);
                throw new TemplateException(name.isEmpty() ? "it calls " + Values.kind(called) : what);
            }
            Function.Arguments given = arguments.evaluate(scope);
            return scope.budget.made(callee.call(caller == null ? given : given.with("caller", caller), scope.budget));
        }
    }
}
