// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import static org.potstill.jinja.Expression.counted;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.jinja.Token.Kind;

/** Parser of operands: literals and names, followed by members, calls, filters and tests. */
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
            value = counted(scope -> negative(positive.evaluate(scope)));
        } else if (cursor.operator("+")) {
            Expression same = unary(false);
            value = counted(scope -> Numbers.arithmetic("+", same.evaluate(scope), 0L));
        } else {
            value = postfix();
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

    private static Object negative(Object value) throws TemplateException {
        return value instanceof Double real ? (Object) (-real) : Numbers.arithmetic("*", value, -1L);
    }

    /** Parses a filter after its bar. */
    Expression filter(Expression value) throws TemplateException {
        String filter = cursor.name();
        ArgumentList arguments = cursor.peek().is(Kind.OPERATOR, "(") ? arguments() : ArgumentList.NONE;
        return counted(scope -> Filters.apply(filter, value.evaluate(scope), arguments.evaluate(scope), scope.budget));
    }

    private Expression test(Expression value) throws TemplateException {
        boolean negated = cursor.keyword("not");
        String test = cursor.name();
        ArgumentList arguments = ArgumentList.NONE;
        Token next = cursor.peek();
        boolean name = next.kind() == Kind.NAME && !KEYWORDS.contains(next.value());
        if (next.is(Kind.OPERATOR, "(")) {
            arguments = arguments();
        } else if (name || next.kind() == Kind.STRING || next.kind() == Kind.NUMBER || next.is(Kind.OPERATOR, "[")
                || next.is(Kind.OPERATOR, "{")) {
            arguments = ArgumentList.single(postfix());
        }
        ArgumentList given = arguments;
        return counted(scope -> negated != Tests.passes(test, value.evaluate(scope), given.evaluate(scope), scope.budget));
    }

    /** Parses a primary expression with its members, items and calls. */
    Expression postfix() throws TemplateException {
        String name = cursor.peek().kind() == Kind.NAME ? (String) cursor.peek().value() : "";
        Expression value = primary();
        while (true) {
            Expression of = value;
            if (cursor.operator(".")) {
                Token member = cursor.next();
                if (member.kind() == Kind.NUMBER && member.value() instanceof Long) {
                    value = counted(scope -> Methods.item(of.evaluate(scope), member.value()));
                    name = "";
                } else if (member.kind() == Kind.NAME) {
                    String attribute = (String) member.value();
                    value = counted(scope -> Methods.attribute(of.evaluate(scope), attribute));
                    name = name.isEmpty() ? attribute : name + "." + attribute;
                } else {
                    throw cursor.failed("a name or an index is missing after '.'");
                }
            } else if (cursor.operator("[")) {
                value = subscript(of);
                name = "";
            } else if (cursor.peek().is(Kind.OPERATOR, "(")) {
                value = new Expression.Call(name, of, arguments());
                name = "";
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
            return counted(scope -> Methods.item(of.evaluate(scope), key.evaluate(scope)));
        }
        return counted(scope -> Values.slice(of.evaluate(scope), bound(bounds[0], scope), bound(bounds[1], scope), bound(bounds[2], scope)));
    }

    private static Object bound(Expression bound, Scope scope) throws TemplateException {
        return bound == null ? null : bound.evaluate(scope);
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
                    return list();
                }
                if (token.is(Kind.OPERATOR, "{")) {
                    return mapping();
                }
                throw cursor.failed("an expression is missing before '" + token.value() + "'");
        }
    }

    private Expression parentheses() throws TemplateException {
        if (cursor.operator(")")) {
            return scope -> Tuple.of();
        }
        Expression value = expressions.tuple();
        cursor.expect(Kind.OPERATOR, ")");
        return value;
    }

    private Expression list() throws TemplateException {
        List<Expression> elements = new ArrayList<>();
        while (!cursor.operator("]")) {
            elements.add(expressions.expression());
            if (!cursor.peek().is(Kind.OPERATOR, "]")) {
                cursor.expect(Kind.OPERATOR, ",");
            }
        }
        return counted(scope -> Expressions.values(elements, scope));
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
                map.put(Values.key(member.getKey().evaluate(scope)), member.getValue().evaluate(scope));
            }
            return map;
        });
    }

    private ArgumentList arguments() throws TemplateException {
        return ArgumentList.parse(cursor, expressions);
    }
}
