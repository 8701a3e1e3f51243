// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.List;
import java.util.Map;

/** Jinja's tests, the names after {@code is}. */
final class Tests {
    private static final Map<String, String> ALIASES = Map.ofEntries(Map.entry("==", "eq"), Map.entry("equalto", "eq"), Map.entry("!=", "ne"),
            Map.entry("<", "lt"), Map.entry("lessthan", "lt"), Map.entry("<=", "le"), Map.entry(">", "gt"),
            Map.entry("greaterthan", "gt"), Map.entry(">=", "ge"));
    private static final Map<String, List<String>> SIGNATURES = Function.signatures("defined", "undefined", "none", "string", "mapping",
            "sequence", "iterable", "callable", "boolean", "integer", "float", "number", "true", "false", "lower", "upper", "even", "odd",
            "escaped", "divisibleby num", "in seq", "eq other", "ne other", "lt other", "le other", "gt other", "ge other", "sameas other");

    private Tests() {
    }

    static boolean passes(String name, Object value, Function.Arguments a, Budget budget) throws TemplateException {
        String test = ALIASES.getOrDefault(name, name);
        List<String> parameters = SIGNATURES.get(test);
        if (parameters == null) {
            throw new TemplateException("the test '" + test + "' is not supported");
        }
        a.checked(test, parameters);
        Object other = parameters.isEmpty() ? null : a.required(0, parameters.get(0));
        boolean many = value instanceof List || value instanceof Map || value instanceof String || value instanceof Markup
                || value instanceof Undefined;
        return switch (test) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == null;
            case "string" -> value instanceof String || value instanceof Markup;
            case "escaped" -> value instanceof Markup;
            case "mapping" -> value instanceof Map;
            case "sequence" -> many || value instanceof View view && view.range();
            case "iterable" -> many || value instanceof View || value instanceof Generator || value instanceof Loop;
            case "callable" -> value instanceof Function || value instanceof Undefined;
            case "boolean" -> value instanceof Boolean;
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "number" -> Values.isNumber(value);
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "lower" -> TextMethods.isLower(Writing.text(value, budget));
            case "upper" -> TextMethods.isUpper(Writing.text(value, budget));
            case "even" -> Math.floorMod(Values.requireInteger(value), 2) == 0;
            case "odd" -> Math.floorMod(Values.requireInteger(value), 2) == 1;
            case "divisibleby" -> Values.equal(Numbers.arithmetic("%", value, other), 0L, budget);
            case "in" -> Values.contains(other, value, budget);
            case "eq" -> Values.equal(value, other, budget);
            case "ne" -> !Values.equal(value, other, budget);
            case "lt" -> Values.compare(value, other) < 0;
            case "le" -> Values.compare(value, other) <= 0;
            case "gt" -> Values.compare(value, other) > 0;
            case "ge" -> Values.compare(value, other) >= 0;
            default -> same(value, other);
        };
    }

    /** Evaluates Python's {@code is}, if the result does not depend on how Python stores values. */
    private static boolean same(Object value, Object other) throws TemplateException {
        if (value == null || other == null || value instanceof Boolean || other instanceof Boolean) {
            return value == null ? other == null : value.equals(other);
        }
        throw new TemplateException("the test 'sameas' of " + Values.kind(value) + " is not supported");
    }
}
