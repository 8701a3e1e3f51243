// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/**
 * A {@code for} loop.
 *
 * @param condition selects items; null for all
 * @param otherwise written if there are no items
 */
record ForLoop(Target target, Expression all, Expression condition, Statement body, Statement otherwise, boolean recursive)
        implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) throws TemplateException {
        return run(all.evaluate(scope), scope, out, 0);
    }

    private Flow run(Object all, Scope scope, StringBuilder out, int depth) throws TemplateException {
        Function inner = !recursive ? null : (arguments, budget) -> {
            Statement once = (outer, text) -> run(arguments.required(0, "iterable"), outer, text, depth + 1);
            return once.text(scope);
        };
        Loop loop = new Loop(Values.iterator(all), item -> counts(item, scope), inner, depth);
        boolean any = false;
        while (loop.next()) {
            any = true;
            scope.budget.step();
            Scope turn = new Scope(scope).set("loop", loop);
            target.assign(loop.current(), turn);
            if (body.run(turn, out) == Flow.BREAK) {
                break;
            }
        }
        return any ? Flow.NEXT : otherwise.run(scope, out);
    }

    private boolean counts(Object item, Scope scope) throws TemplateException {
        scope.budget.step();
        if (condition == null) {
            return true;
        }
        Scope turn = new Scope(scope);
        target.assign(item, turn);
        return Values.isTrue(condition.evaluate(turn));
    }
}
