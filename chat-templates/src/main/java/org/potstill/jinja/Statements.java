// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.List;
import org.potstill.jinja.Statement.Flow;
import org.potstill.jinja.Token.Kind;

/** Parser of templates: text, expressions and blocks. */
final class Statements {
    private static final List<String> UNSUPPORTED = List.of("block", "extends", "include", "import", "from", "autoescape", "do", "trans",
            "debug");

    private final Cursor cursor;
    private final Expressions expressions;
    /** Number of enclosing loops that {@code break} can leave. */
    private int loops;

    private Statements(List<Token> tokens) {
        this.cursor = new Cursor(tokens);
        this.expressions = new Expressions(cursor);
    }

    static Statement parse(List<Token> tokens) throws TemplateException {
        Statements statements = new Statements(tokens);
        Statement all = statements.until();
        if (statements.cursor.peek().kind() != Kind.END) {
            throw statements.cursor.failed("'" + statements.cursor.peek().value() + "' closes no block");
        }
        return all;
    }

    /** Parses up to one of these blocks and consumes only its opening; without names, parses up to the end. */
    private Statement until(String... ends) throws TemplateException {
        List<Statement> statements = new ArrayList<>();
        while (cursor.peek().kind() != Kind.END) {
            Token token = cursor.next();
            if (token.kind() == Kind.DATA) {
                String text = (String) token.value();
                statements.add((scope, out) -> write(text, scope, out));
            } else if (token.kind() == Kind.VARIABLE) {
                Expression value = expressions.tuple();
                cursor.expect(Kind.CLOSE, "");
                statements.add(Statement.at(token.line(), (scope, out) -> write(Writing.text(value.evaluate(scope), scope.budget), scope, out)));
            } else if (List.of(ends).contains(cursor.peek().value())) {
                return sequence(statements);
            } else {
                statements.add(Statement.at(token.line(), block(cursor.name())));
            }
        }
        if (ends.length > 0) {
            throw cursor.failed("'" + ends[ends.length - 1] + "' is missing");
        }
        return sequence(statements);
    }

    private static Flow write(String text, Scope scope, StringBuilder out) throws TemplateException {
        scope.budget.step();
        scope.budget.chars((long) out.length() + text.length());
        out.append(text);
        return Flow.NEXT;
    }

    private static Statement sequence(List<Statement> statements) {
        return (scope, out) -> {
            for (Statement statement : statements) {
                Flow flow = statement.run(scope, out);
                if (flow != Flow.NEXT) {
                    return flow;
                }
            }
            return Flow.NEXT;
        };
    }

    /** Parses a block after its name, including its end. */
    private Statement block(String name) throws TemplateException {
        switch (name) {
            case "if":
                return condition();
            case "for":
                return loop();
            case "set":
                return assignment();
            case "macro":
                Macro macro = macro(cursor.name(), "endmacro");
                return (scope, out) -> {
                    scope.set(macro.name(), macro.in(scope));
                    return Flow.NEXT;
                };
            case "call":
                return call();
            case "with":
                return with();
            case "filter":
                return filter();
            case "generation":
                // Marks the model's part of the conversation for training, and does not change the output.
                cursor.expect(Kind.CLOSE, "");
                Statement said = apart("endgeneration");
                return (scope, out) -> {
                    String text = said.text(new Scope(scope));
                    scope.generations.add(text);
                    return write(text, scope, out);
                };
            case "break", "continue":
                cursor.expect(Kind.CLOSE, "");
                if (loops == 0) {
                    throw cursor.failed("'" + name + "' is outside a loop");
                }
                return (scope, out) -> name.equals("break") ? Flow.BREAK : Flow.CONTINUE;
            default:
                throw cursor.failed("the block '" + name + "' is " + (UNSUPPORTED.contains(name) ? "not supported" : "not known"));
        }
    }

    /** Parses up to a block of this name, and consumes it. */
    private Statement to(String end) throws TemplateException {
        Statement body = until(end);
        cursor.expect(Kind.NAME, end);
        cursor.expect(Kind.CLOSE, "");
        return body;
    }

    /** Parses the same for a body that cannot leave an enclosing loop. */
    private Statement apart(String end) throws TemplateException {
        int outside = loops;
        loops = 0;
        Statement body = to(end);
        loops = outside;
        return body;
    }

    /** Parses an optional {@code else} and the end of a block. */
    private Statement otherwise(String end) throws TemplateException {
        if (!cursor.keyword("else")) {
            cursor.expect(Kind.NAME, end);
            cursor.expect(Kind.CLOSE, "");
            return Statement.NOTHING;
        }
        cursor.expect(Kind.CLOSE, "");
        return to(end);
    }

    private Statement condition() throws TemplateException {
        Expression condition = expressions.tuple();
        cursor.expect(Kind.CLOSE, "");
        Statement then = until("elif", "else", "endif");
        int line = cursor.peek().line();
        Statement otherwise = cursor.keyword("elif") ? Statement.at(line, condition()) : otherwise("endif");
        return (scope, out) -> {
            scope.budget.step();
            return Values.isTrue(condition.evaluate(scope)) ? then.run(scope, out) : otherwise.run(scope, out);
        };
    }

    private Statement loop() throws TemplateException {
        Target target = Target.parse(cursor, false);
        cursor.expect(Kind.NAME, "in");
        Expression all = expressions.unconditionalTuple();
        Expression condition = cursor.keyword("if") ? expressions.expression() : null;
        boolean recursive = cursor.keyword("recursive");
        cursor.expect(Kind.CLOSE, "");
        loops++;
        Statement body = until("else", "endfor");
        loops--;
        return new ForLoop(target, all, condition, body, otherwise("endfor"), recursive);
    }

    private Statement assignment() throws TemplateException {
        Target target = Target.parse(cursor, true);
        if (cursor.operator("=")) {
            Expression value = expressions.tuple();
            cursor.expect(Kind.CLOSE, "");
            return (scope, out) -> {
                scope.budget.step();
                target.assign(value.evaluate(scope), scope);
                return Flow.NEXT;
            };
        }
        Expression text = scope -> scope.get(BODY);
        Expression value = cursor.operator("|") ? expressions.filtered(text) : text;
        cursor.expect(Kind.CLOSE, "");
        Statement body = apart("endset");
        return (scope, out) -> {
            target.assign(value.evaluate(new Scope(scope).set(BODY, body.text(new Scope(scope)))), scope);
            return Flow.NEXT;
        };
    }

    /** Variable for the text that a block's filters receive; templates cannot use this name. */
    private static final String BODY = "the block's text";

    private Statement filter() throws TemplateException {
        Expression value = expressions.filtered(scope -> scope.get(BODY));
        cursor.expect(Kind.CLOSE, "");
        Statement body = apart("endfilter");
        return (scope, out) -> {
            Object text = value.evaluate(new Scope(scope).set(BODY, body.text(new Scope(scope))));
            return write(Writing.text(text, scope.budget), scope, out);
        };
    }

    private Statement with() throws TemplateException {
        List<Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (cursor.peek().kind() != Kind.CLOSE) {
            if (!targets.isEmpty()) {
                cursor.expect(Kind.OPERATOR, ",");
            }
            String name = cursor.name();
            targets.add((value, into) -> into.set(name, value));
            cursor.expect(Kind.OPERATOR, "=");
            values.add(expressions.expression());
        }
        cursor.expect(Kind.CLOSE, "");
        Statement body = to("endwith");
        return (scope, out) -> {
            Scope inner = new Scope(scope);
            List<Object> computed = Expressions.values(values, scope);
            for (int i = 0; i < targets.size(); i++) {
                targets.get(i).assign(computed.get(i), inner);
            }
            return body.run(inner, out);
        };
    }

    private Macro macro(String name, String end) throws TemplateException {
        return Macro.parse(name, cursor, expressions, () -> {
            cursor.expect(Kind.CLOSE, "");
            return apart(end);
        });
    }

    private Statement call() throws TemplateException {
        Expression[] called = new Expression[1];
        Macro caller = Macro.parse("caller", cursor, expressions, () -> {
            called[0] = expressions.postfix();
            cursor.expect(Kind.CLOSE, "");
            return apart("endcall");
        });
        if (!(called[0] instanceof Expression.Call macro)) {
            throw cursor.failed("a call block calls nothing");
        }
        return (scope, out) -> write(Writing.text(macro.with(scope, caller.in(scope)), scope.budget), scope, out);
    }
}
