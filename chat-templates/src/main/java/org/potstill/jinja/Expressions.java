// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import static org.potstill.jinja.Expression.counted;

import java.util.ArrayList;
import java.util.List;
import org.potstill.jinja.Token.Kind;

/** Parser of expressions with Jinja's operator precedences; {@link Operands} parses the operands. */
final class Expressions {
    private static final List<String> COMPARISONS = List.of("==", "!=", "<", "<=", ">", ">=");

    private final Cursor cursor;
    private final Operands operands;

    Expressions(Cursor cursor) {
        this.cursor = cursor;
        this.operands = new Operands(cursor, this);
    }

    /** Parses one value, or several separated by commas as a tuple, up to the end of a tag or parenthesis. */
    Expression tuple() throws TemplateException {
        return tuple(expression());
    }

    /** Parses the same without a conditional expression, where an {@code if} has another meaning. */
    Expression unconditionalTuple() throws TemplateException {
        return tuple(or());
    }

    private Expression tuple(Expression first) throws TemplateException {
        if (!cursor.peek().is(Kind.OPERATOR, ",")) {
            return first;
        }
        List<Expression> elements = new ArrayList<>(List.of(first));
        while (cursor.operator(",") && cursor.peek().kind() != Kind.CLOSE && !cursor.peek().is(Kind.OPERATOR, ")")) {
            elements.add(expression());
        }
        return counted(scope -> new Tuple(values(elements, scope)));
    }

    static List<Object> values(List<Expression> elements, Scope scope) throws TemplateException {
        List<Object> values = new ArrayList<>();
        for (Expression element : elements) {
            values.add(element.evaluate(scope));
        }
        return values;
    }

    /** Parses an operand with its members and calls. */
    Expression postfix() throws TemplateException {
        return operands.postfix();
    }

    /** Parses filters separated by bars, after the first bar. */
    Expression filtered(Expression value) throws TemplateException {
        Expression filtered = operands.filter(value);
        while (cursor.operator("|")) {
            filtered = operands.filter(filtered);
        }
        return filtered;
    }

    Expression expression() throws TemplateException {
        Expression value = or();
        while (cursor.keyword("if")) {
            Expression then = value;
            Expression condition = or();
            Expression otherwise = cursor.keyword("else") ? expression() : scope -> Undefined.NAMELESS;
            value = scope -> Values.isTrue(condition.evaluate(scope)) ? then.evaluate(scope) : otherwise.evaluate(scope);
        }
        return value;
    }

    Expression or() throws TemplateException {
        Expression left = and();
        while (cursor.keyword("or")) {
            Expression first = left;
            Expression second = and();
            left = scope -> {
                Object value = first.evaluate(scope);
                return Values.isTrue(value) ? value : second.evaluate(scope);
            };
        }
        return left;
    }

    private Expression and() throws TemplateException {
        Expression left = not();
        while (cursor.keyword("and")) {
            Expression first = left;
            Expression second = not();
            left = scope -> {
                Object value = first.evaluate(scope);
                return Values.isTrue(value) ? second.evaluate(scope) : value;
            };
        }
        return left;
    }

    private Expression not() throws TemplateException {
        if (cursor.keyword("not")) {
            Expression value = not();
            return scope -> !Values.isTrue(value.evaluate(scope));
        }
        return comparison();
    }

    private Expression comparison() throws TemplateException {
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (true) {
            if (cursor.peek().kind() == Kind.OPERATOR && COMPARISONS.contains(cursor.peek().value())) {
                operators.add((String) cursor.next().value());
            } else if (cursor.keyword("in")) {
                operators.add("in");
            } else if (cursor.peek().is(Kind.NAME, "not") && cursor.afterNext().is(Kind.NAME, "in")) {
                cursor.next();
                cursor.next();
                operators.add("not in");
            } else {
                break;
            }
            others.add(sum());
        }
        if (operators.isEmpty()) {
            return first;
        }
        return counted(scope -> {
            Object left = first.evaluate(scope);
            for (int i = 0; i < operators.size(); i++) {
                Object right = others.get(i).evaluate(scope);
                if (!holds(operators.get(i), left, right, scope.budget)) {
                    return false;
                }
                left = right;
            }
            return true;
        });
    }

    private static boolean holds(String operator, Object left, Object right, Budget budget) throws TemplateException {
        return switch (operator) {
            case "==" -> Values.equal(left, right, budget);
            case "!=" -> !Values.equal(left, right, budget);
            case "in" -> Values.contains(right, left, budget);
            case "not in" -> !Values.contains(right, left, budget);
            case "<" -> Values.compare(left, right) < 0;
            case "<=" -> Values.compare(left, right) <= 0;
            case ">" -> Values.compare(left, right) > 0;
            default -> Values.compare(left, right) >= 0;
        };
    }

    private Expression sum() throws TemplateException {
        Expression left = concatenation();
        while (true) {
            Expression first = left;
            if (cursor.operator("+")) {
                Expression second = concatenation();
                left = counted(scope -> Numbers.add(first.evaluate(scope), second.evaluate(scope), scope.budget));
            } else if (cursor.operator("-")) {
                Expression second = concatenation();
                left = counted(scope -> Numbers.arithmetic("-", first.evaluate(scope), second.evaluate(scope)));
            } else {
                return left;
            }
        }
    }

    private Expression concatenation() throws TemplateException {
        Expression left = product();
        while (cursor.operator("~")) {
            Expression first = left;
            Expression second = product();
            left = counted(scope -> scope.budget.text(
                    Writing.text(first.evaluate(scope), scope.budget) + Writing.text(second.evaluate(scope), scope.budget)));
        }
        return left;
    }

    private Expression product() throws TemplateException {
        Expression left = power();
        while (cursor.peek().kind() == Kind.OPERATOR && List.of("*", "/", "//", "%").contains(cursor.peek().value())) {
            String operator = (String) cursor.next().value();
            Expression first = left;
            Expression second = power();
            left = counted(scope -> product(operator, first.evaluate(scope), second.evaluate(scope), scope.budget));
        }
        return left;
    }

    private static Object product(String operator, Object a, Object b, Budget budget) throws TemplateException {
        if (operator.equals("%") && a instanceof String format) {
            return Formatting.percent(format, b, budget);
        }
        return operator.equals("*") ? Numbers.multiply(a, b, budget) : Numbers.arithmetic(operator, a, b);
    }

    private Expression power() throws TemplateException {
        Expression left = operands.operand();
        while (cursor.operator("**")) {
            Expression first = left;
            Expression second = operands.operand();
            left = counted(scope -> Numbers.arithmetic("**", first.evaluate(scope), second.evaluate(scope)));
        }
        return left;
    }
}
