// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.jinja.Token.Kind;

/** The unevaluated arguments of a call. */
final class ArgumentList {
    static final ArgumentList NONE = new ArgumentList(List.of());

    /**
     * An argument.
     *
     * @param stars number of stars before it: one for a list of arguments, two for a mapping of arguments
     */
    private record Argument(String name, int stars, Expression value) {
    }

    private final List<Argument> arguments;

    private ArgumentList(List<Argument> arguments) {
        this.arguments = arguments;
    }

    static ArgumentList single(Expression value) {
        return new ArgumentList(List.of(new Argument(null, 0, value)));
    }

    static ArgumentList parse(Cursor cursor, Expressions expressions) throws TemplateException {
        List<Argument> arguments = new ArrayList<>();
        cursor.expect(Kind.OPERATOR, "(");
        while (!cursor.operator(")")) {
            int stars = cursor.operator("**") ? 2 : cursor.operator("*") ? 1 : 0;
            boolean named = stars == 0 && cursor.peek().kind() == Kind.NAME && cursor.afterNext().is(Kind.OPERATOR, "=");
            String name = named ? cursor.name() : null;
            if (named) {
                cursor.next();
            }
            arguments.add(new Argument(name, stars, expressions.expression()));
            if (!cursor.peek().is(Kind.OPERATOR, ")")) {
                cursor.expect(Kind.OPERATOR, ",");
            }
        }
        return new ArgumentList(arguments);
    }

    Function.Arguments evaluate(Scope scope) throws TemplateException {
        List<Object> places = new ArrayList<>();
        Map<String, Object> names = new LinkedHashMap<>();
        for (Argument argument : arguments) {
            Object value = argument.value.evaluate(scope);
            if (argument.name != null) {
                name(names, argument.name, value);
            } else if (argument.stars == 0) {
                places.add(value);
            } else if (argument.stars == 1) {
                places.addAll(Values.items(value));
            } else if (value instanceof Map<?, ?> map) {
                for (Map.Entry<?, ?> member : map.entrySet()) {
                    name(names, Values.requireText(member.getKey()), member.getValue());
                }
            } else {
                throw new TemplateException("it passes " + Values.kind(value) + " as named arguments");
            }
            scope.budget.items(places.size() + names.size());
        }
        return new Function.Arguments(places, names);
    }

    private static void name(Map<String, Object> names, String name, Object value) throws TemplateException {
        if (names.containsKey(name)) {
            throw new TemplateException("the argument '" + Texts.shortened(name) + "' is given twice");
        }
        names.put(name, value);
    }
}
