package org.potstill.checkpoints.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.jinja.Token.Kind;

/** Parses templates: text, what is written into it, and blocks. */
final class Statements {
    /** How a loop goes on. */
    enum Flow { NEXT, BREAK, CONTINUE }

    /** Writes its part of the text. */
    interface Statement {
        Flow run(Scope scope, StringBuilder out) throws TemplateException;
    }

    private final Cursor cursor;
    private final Expressions expressions;

    private Statements(List<Token> tokens) {
        this.cursor = new Cursor(tokens);
        this.expressions = new Expressions(cursor);
    }

    static Statement parse(List<Token> tokens) throws TemplateException {
        Statements statements = new Statements(tokens);
        Statement all = statements.until();
        if (statements.cursor.peek().kind() != Kind.END) {
            throw statements.cursor.failed("'" + statements.cursor.peek().value() + "' closes nothing");
        }
        return all;
    }

    /** Up to a block of one of these names, which is not taken but for its opening; or, where there are none, to the end. */
    private Statement until(String... ends) throws TemplateException {
        List<Statement> statements = new ArrayList<>();
        while (cursor.peek().kind() != Kind.END) {
            Token token = cursor.next();
            if (token.kind() == Kind.DATA) {
                String text = (String) token.value();
                statements.add((scope, out) -> write(text, scope, out));
            } else if (token.kind() == Kind.VARIABLE) {
                Expression value = expressions.expression();
                cursor.expect(Kind.CLOSE, "");
                statements.add((scope, out) -> write(Writing.text(value.of(scope), scope.budget), scope, out));
            } else if (List.of(ends).contains(cursor.peek().value())) {
                return sequence(statements);
            } else {
                statements.add(block(cursor.name()));
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

    /** The rest of a block whose name was taken, its end included. */
    private Statement block(String name) throws TemplateException {
        switch (name) {
            case "if":
                return condition();
            case "for":
                return loop();
            case "set":
                return assignment();
            case "macro":
                return macro();
            case "generation":
                // Marks what the model is to say, for training; nothing is written otherwise.
                cursor.expect(Kind.CLOSE, "");
                Statement said = until("endgeneration");
                end("endgeneration");
                return said;
            case "break":
                cursor.expect(Kind.CLOSE, "");
                return (scope, out) -> Flow.BREAK;
            case "continue":
                cursor.expect(Kind.CLOSE, "");
                return (scope, out) -> Flow.CONTINUE;
            default:
                throw cursor.failed("the block '" + name + "' is not supported here");
        }
    }

    private void end(String name) throws TemplateException {
        cursor.expect(Kind.NAME, name);
        cursor.expect(Kind.CLOSE, "");
    }

    private Statement condition() throws TemplateException {
        Expression condition = expressions.expression();
        cursor.expect(Kind.CLOSE, "");
        Statement then = until("elif", "else", "endif");
        Statement otherwise;
        if (cursor.keyword("elif")) {
            otherwise = condition();
        } else {
            boolean branch = cursor.keyword("else");
            if (branch) {
                cursor.expect(Kind.CLOSE, "");
            }
            otherwise = branch ? until("endif") : (scope, out) -> Flow.NEXT;
            end("endif");
        }
        return (scope, out) -> {
            scope.budget.step();
            return Values.isTrue(condition.of(scope)) ? then.run(scope, out) : otherwise.run(scope, out);
        };
    }

    private List<String> targets() throws TemplateException {
        boolean parentheses = cursor.operator("(");
        List<String> names = new ArrayList<>(List.of(cursor.name()));
        while (cursor.operator(",")) {
            names.add(cursor.name());
        }
        if (parentheses) {
            cursor.expect(Kind.OPERATOR, ")");
        }
        return names;
    }

    private static void assign(List<String> names, Object value, Scope scope) throws TemplateException {
        if (names.size() == 1) {
            scope.set(names.get(0), value);
            return;
        }
        List<Object> values = Values.items(value);
        if (values.size() != names.size()) {
            throw new TemplateException("it gives " + values.size() + " values to " + names);
        }
        for (int i = 0; i < names.size(); i++) {
            scope.set(names.get(i), values.get(i));
        }
    }

    private Statement loop() throws TemplateException {
        List<String> names = targets();
        cursor.expect(Kind.NAME, "in");
        Expression all = expressions.or();
        Expression condition = cursor.keyword("if") ? expressions.expression() : scope -> true;
        cursor.expect(Kind.CLOSE, "");
        Statement body = until("else", "endfor");
        boolean branch = cursor.keyword("else");
        if (branch) {
            cursor.expect(Kind.CLOSE, "");
        }
        Statement otherwise = branch ? until("endfor") : (scope, out) -> Flow.NEXT;
        end("endfor");
        return (scope, out) -> {
            List<Object> items = new ArrayList<>();
            for (Object item : Values.items(all.of(scope))) {
                scope.budget.step();
                Scope inner = new Scope(scope);
                assign(names, item, inner);
                if (Values.isTrue(condition.of(inner))) {
                    items.add(item);
                }
            }
            for (int i = 0; i < items.size(); i++) {
                scope.budget.step();
                Scope inner = new Scope(scope).set("loop", loopVariable(items, i));
                assign(names, items.get(i), inner);
                if (body.run(inner, out) == Flow.BREAK) {
                    break;
                }
            }
            return items.isEmpty() ? otherwise.run(scope, out) : Flow.NEXT;
        };
    }

    private static Map<String, Object> loopVariable(List<Object> items, int i) {
        Map<String, Object> loop = new LinkedHashMap<>();
        loop.put("index", i + 1L);
        loop.put("index0", (long) i);
        loop.put("revindex", (long) items.size() - i);
        loop.put("revindex0", items.size() - i - 1L);
        loop.put("first", i == 0);
        loop.put("last", i == items.size() - 1);
        loop.put("length", (long) items.size());
        loop.put("previtem", i > 0 ? items.get(i - 1) : Values.UNDEFINED);
        loop.put("nextitem", i + 1 < items.size() ? items.get(i + 1) : Values.UNDEFINED);
        loop.put("cycle", (Function) (arguments, budget) ->
                arguments.places().isEmpty() ? Values.UNDEFINED : arguments.places().get(i % arguments.places().size()));
        return loop;
    }

    private Statement assignment() throws TemplateException {
        List<String> names = targets();
        if (cursor.operator(".")) {
            String member = cursor.name();
            cursor.expect(Kind.OPERATOR, "=");
            Expression value = expressions.expression();
            cursor.expect(Kind.CLOSE, "");
            return (scope, out) -> {
                scope.budget.step();
                if (!(scope.get(names.get(0)) instanceof Methods.Namespace namespace)) {
                    throw new TemplateException("it sets a member of " + names.get(0) + ", which is no namespace");
                }
                namespace.members().put(member, value.of(scope));
                scope.budget.items(namespace.members().size());
                return Flow.NEXT;
            };
        }
        if (cursor.operator("=")) {
            Expression value = expressions.expression();
            if (!cursor.operator(",")) {
                cursor.expect(Kind.CLOSE, "");
                return (scope, out) -> {
                    scope.budget.step();
                    assign(names, value.of(scope), scope);
                    return Flow.NEXT;
                };
            }
            throw cursor.failed("a list without brackets is not supported here");
        }
        cursor.expect(Kind.CLOSE, "");
        Statement body = until("endset");
        end("endset");
        return (scope, out) -> {
            StringBuilder text = new StringBuilder();
            body.run(new Scope(scope), text);
            assign(names, text.toString(), scope);
            return Flow.NEXT;
        };
    }

    private Statement macro() throws TemplateException {
        String name = cursor.name();
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        cursor.expect(Kind.OPERATOR, "(");
        while (!cursor.operator(")")) {
            parameters.add(cursor.name());
            defaults.add(cursor.operator("=") ? expressions.expression() : scope -> Values.UNDEFINED);
            if (!cursor.peek().is(Kind.OPERATOR, ")")) {
                cursor.expect(Kind.OPERATOR, ",");
            }
        }
        cursor.expect(Kind.CLOSE, "");
        Statement body = until("endmacro");
        end("endmacro");
        return (scope, out) -> {
            scope.set(name, (Function) (arguments, budget) -> {
                Scope inner = new Scope(scope);
                for (int i = 0; i < parameters.size(); i++) {
                    Object given = arguments.get(i, parameters.get(i), Values.UNDEFINED);
                    inner.set(parameters.get(i), given == Values.UNDEFINED ? defaults.get(i).of(inner) : given);
                }
                StringBuilder text = new StringBuilder();
                body.run(inner, text);
                return text.toString();
            });
            return Flow.NEXT;
        };
    }
}
