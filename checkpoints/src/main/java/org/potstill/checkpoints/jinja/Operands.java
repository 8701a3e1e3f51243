package org.potstill.checkpoints.jinja;

import static org.potstill.checkpoints.jinja.Expression.counted;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.jinja.Token.Kind;

/** Parses what operators stand between: literals and names, with members, calls, filters and tests that follow them. */
final class Operands {
    private static final List<String> KEYWORDS = List.of("else", "or", "and", "is", "if", "not", "in");

    private final Cursor cursor;
    private final Expressions expressions;

    Operands(Cursor cursor, Expressions expressions) {
        this.cursor = cursor;
        this.expressions = expressions;
    }

    Expression operand() throws TemplateException {
        return unary(true);
    }

    private Expression unary(boolean filtered) throws TemplateException {
        Expression value;
        if (cursor.operator("-")) {
            Expression positive = unary(false);
            value = counted(scope -> Values.arithmetic("*", positive.of(scope), -1L));
        } else {
            value = cursor.operator("+") ? unary(false) : postfix(primary());
        }
        while (filtered) {
            if (cursor.operator("|")) {
                value = filter(value);
            } else if (cursor.keyword("is")) {
                value = test(value);
            } else {
                return value;
            }
        }
        return value;
    }

    private Expression filter(Expression value) throws TemplateException {
        String filter = cursor.name();
        ArgumentList arguments = cursor.peek().is(Kind.OPERATOR, "(") ? arguments() : ArgumentList.NONE;
        return counted(scope -> Filters.apply(filter, value.of(scope), arguments.of(scope), scope.budget));
    }

    private Expression test(Expression value) throws TemplateException {
        boolean negated = cursor.keyword("not");
        String test = cursor.name();
        ArgumentList arguments = ArgumentList.NONE;
        boolean name = cursor.peek().kind() == Kind.NAME && !KEYWORDS.contains(cursor.peek().value());
        if (cursor.peek().is(Kind.OPERATOR, "(")) {
            arguments = arguments();
        } else if (name || cursor.peek().kind() == Kind.STRING || cursor.peek().kind() == Kind.NUMBER
                || cursor.peek().is(Kind.OPERATOR, "[")) {
            arguments = new ArgumentList(List.of(postfix(primary())), Map.of());
        }
        ArgumentList given = arguments;
        return counted(scope -> negated != Tests.passes(test, value.of(scope), given.of(scope), scope.budget));
    }

    private Expression postfix(Expression primary) throws TemplateException {
        Expression value = primary;
        while (true) {
            Expression of = value;
            if (cursor.operator(".")) {
                String name = cursor.name();
                value = counted(scope -> Methods.attribute(of.of(scope), name));
            } else if (cursor.operator("[")) {
                value = subscript(of);
            } else if (cursor.peek().is(Kind.OPERATOR, "(")) {
                ArgumentList arguments = arguments();
                int line = cursor.peek().line();
                value = counted(scope -> {
                    if (!(of.of(scope) instanceof Function function)) {
                        throw new TemplateException("line " + line + ": it calls what is no function");
                    }
                    return function.call(arguments.of(scope), scope.budget);
                });
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression of) throws TemplateException {
        Expression[] bounds = new Expression[3];
        int colons = 0;
        while (!cursor.operator("]")) {
            if (cursor.operator(":")) {
                colons++;
            } else if (colons < 3 && bounds[colons] == null) {
                bounds[colons] = expressions.expression();
            } else {
                throw cursor.failed("']' is missing");
            }
        }
        if (colons == 0) {
            Expression key = bounds[0];
            if (key == null) {
                throw cursor.failed("an index is missing");
            }
            return counted(scope -> {
                Object value = of.of(scope);
                Object at = key.of(scope);
                Object item = Values.item(value, at);
                return item == Values.UNDEFINED && at instanceof String name && !(value instanceof Map)
                        ? Methods.attribute(value, name) : item;
            });
        }
        return counted(scope -> Values.slice(of.of(scope), bound(bounds[0], scope), bound(bounds[1], scope), bound(bounds[2], scope)));
    }

    private static Object bound(Expression bound, Scope scope) throws TemplateException {
        return bound == null ? null : bound.of(scope);
    }

    private Expression primary() throws TemplateException {
        Token token = cursor.next();
        switch (token.kind()) {
            case NAME:
                String name = (String) token.value();
                return switch (name) {
                    case "true", "True" -> scope -> true;
                    case "false", "False" -> scope -> false;
                    case "none", "None" -> scope -> null;
                    default -> scope -> scope.get(name);
                };
            case NUMBER:
                return scope -> token.value();
            case STRING:
                StringBuilder text = new StringBuilder((String) token.value());
                while (cursor.peek().kind() == Kind.STRING) {
                    text.append(cursor.next().value());
                }
                return scope -> text.toString();
            default:
                if (token.is(Kind.OPERATOR, "(")) {
                    return parentheses();
                }
                if (token.is(Kind.OPERATOR, "[")) {
                    return list("]", new ArrayList<>());
                }
                if (token.is(Kind.OPERATOR, "{")) {
                    return mapping();
                }
                throw cursor.failed("an expression is missing before '" + token.value() + "'");
        }
    }

    private Expression parentheses() throws TemplateException {
        if (cursor.operator(")")) {
            return scope -> List.of();
        }
        Expression first = expressions.expression();
        if (cursor.operator(")")) {
            return first;
        }
        cursor.expect(Kind.OPERATOR, ",");
        return list(")", new ArrayList<>(List.of(first)));
    }

    private Expression list(String close, List<Expression> elements) throws TemplateException {
        while (!cursor.operator(close)) {
            elements.add(expressions.expression());
            if (!cursor.peek().is(Kind.OPERATOR, close)) {
                cursor.expect(Kind.OPERATOR, ",");
            }
        }
        return counted(scope -> {
            List<Object> list = new ArrayList<>();
            for (Expression element : elements) {
                list.add(element.of(scope));
            }
            return list;
        });
    }

    private Expression mapping() throws TemplateException {
        Map<Expression, Expression> members = new LinkedHashMap<>();
        while (!cursor.operator("}")) {
            Expression key = expressions.expression();
            cursor.expect(Kind.OPERATOR, ":");
            members.put(key, expressions.expression());
            if (!cursor.peek().is(Kind.OPERATOR, "}")) {
                cursor.expect(Kind.OPERATOR, ",");
            }
        }
        return counted(scope -> {
            Map<Object, Object> map = new LinkedHashMap<>();
            for (Map.Entry<Expression, Expression> member : members.entrySet()) {
                map.put(Values.key(member.getKey().of(scope)), member.getValue().of(scope));
            }
            return map;
        });
    }

    /** Of a call, not yet computed. */
    record ArgumentList(List<Expression> places, Map<String, Expression> names) {
        static final ArgumentList NONE = new ArgumentList(List.of(), Map.of());

        Function.Arguments of(Scope scope) throws TemplateException {
            List<Object> given = new ArrayList<>();
            for (Expression place : places) {
                given.add(place.of(scope));
            }
            Map<String, Object> named = new LinkedHashMap<>();
            for (Map.Entry<String, Expression> name : names.entrySet()) {
                named.put(name.getKey(), name.getValue().of(scope));
            }
            return new Function.Arguments(given, named);
        }
    }

    private ArgumentList arguments() throws TemplateException {
        List<Expression> places = new ArrayList<>();
        Map<String, Expression> names = new LinkedHashMap<>();
        cursor.expect(Kind.OPERATOR, "(");
        while (!cursor.operator(")")) {
            if (cursor.peek().kind() == Kind.NAME && cursor.afterNext().is(Kind.OPERATOR, "=")) {
                String name = cursor.name();
                cursor.next();
                names.put(name, expressions.expression());
            } else {
                places.add(expressions.expression());
            }
            if (!cursor.peek().is(Kind.OPERATOR, ")")) {
                cursor.expect(Kind.OPERATOR, ",");
            }
        }
        return new ArgumentList(places, names);
    }
}
