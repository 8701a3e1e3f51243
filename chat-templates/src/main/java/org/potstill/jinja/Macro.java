// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.jinja.Token.Kind;

/**
 * A parsed macro; its result depends on the scope in which it is defined.
 *
 * @param defaults  default of each parameter; null if it has none
 * @param varargs   whether it uses {@code varargs}
 * @param kwargs    whether it uses {@code kwargs}
 * @param caller    whether it uses {@code caller}
 */
record Macro(String name, List<String> parameters, List<Expression> defaults, Statement body, boolean varargs, boolean kwargs,
        boolean caller) {
    private static final Object MISSING = new Object();

    /** Parser of a macro's body. */
    interface Body {
        Statement parse() throws TemplateException;
    }

    /** Parses a macro from its parameters on, which may be missing. */
    static Macro parse(String name, Cursor cursor, Expressions expressions, Body body) throws TemplateException {
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        if (cursor.operator("(")) {
            while (!cursor.operator(")")) {
                parameters.add(cursor.name());
                defaults.add(cursor.operator("=") ? expressions.expression() : null);
                if (!cursor.peek().is(Kind.OPERATOR, ")")) {
                    cursor.expect(Kind.OPERATOR, ",");
                }
            }
        }
        return new Macro(name, parameters, defaults, null, false, false, false).with(cursor, body);
    }

    /** Parses the body that follows. */
    private Macro with(Cursor cursor, Body parser) throws TemplateException {
        int from = cursor.position();
        Statement parsed = parser.parse();
        int to = cursor.position();
        return new Macro(name, parameters, defaults, parsed, asks(cursor, "varargs", from, to), asks(cursor, "kwargs", from, to),
                asks(cursor, "caller", from, to));
    }

    private boolean asks(Cursor cursor, String variable, int from, int to) {
        return !parameters.contains(variable) && cursor.mentions(variable, from, to);
    }

    Function in(Scope scope) {
        return (arguments, budget) -> called(arguments, new Scope(scope));
    }

    private Object called(Function.Arguments arguments, Scope inner) throws TemplateException {
        Map<String, Object> names = new LinkedHashMap<>(arguments.names());
        List<Object> places = arguments.places();
        for (int i = 0; i < parameters.size(); i++) {
            String parameter = parameters.get(i);
            Object given = i < places.size() ? places.get(i) : names.containsKey(parameter) ? names.remove(parameter) : MISSING;
            Expression otherwise = defaults.get(i);
            inner.set(parameter, given != MISSING ? given : otherwise == null ? new Undefined(parameter) : otherwise.evaluate(inner));
        }
        if (caller) {
            inner.set("caller", names.containsKey("caller") ? names.remove("caller") : new Undefined("caller"));
        }
        if (kwargs) {
            inner.set("kwargs", names);
        } else if (!names.isEmpty()) {
            throw new TemplateException("the macro '" + name + "' takes no argument '" + Texts.shortened(names.keySet().iterator().next()) + "'");
        }
        List<Object> more = places.subList(Math.min(parameters.size(), places.size()), places.size());
        if (varargs) {
            inner.set("varargs", new Tuple(new ArrayList<>(more)));
        } else if (!more.isEmpty()) {
            throw new TemplateException("the macro '" + name + "' takes at most " + parameters.size() + " arguments");
        }
        return body.text(inner);
    }
}
