package org.potstill.checkpoints.jinja;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What follows {@code is}. */
final class Tests {
    private Tests() {
    }

    static boolean passes(String test, Object value, Function.Arguments a, Budget budget) throws TemplateException {
        return switch (test) {
            case "defined" -> value != Values.UNDEFINED;
            case "undefined" -> value == Values.UNDEFINED;
            case "none" -> value == null;
            case "string" -> value instanceof String;
            case "mapping" -> value instanceof Map;
            case "sequence" -> value instanceof List || value instanceof Map || value instanceof String;
            case "iterable" -> value instanceof List || value instanceof Map || value instanceof String || value == Values.UNDEFINED;
            case "callable" -> value instanceof Function;
            case "boolean" -> value instanceof Boolean;
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "number" -> Values.isNumber(value);
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "lower" -> value instanceof String text && text.equals(text.toLowerCase(Locale.ROOT));
            case "upper" -> value instanceof String text && text.equals(text.toUpperCase(Locale.ROOT));
            case "even" -> Math.floorMod(Values.requireInteger(value), 2) == 0;
            case "odd" -> Math.floorMod(Values.requireInteger(value), 2) == 1;
            case "divisibleby" -> Values.equal(Values.arithmetic("%", value, a.required(0, "num")), 0L, budget);
            case "in" -> Values.contains(a.required(0, "seq"), value, budget);
            case "eq", "equalto", "==", "sameas" -> Values.equal(value, a.required(0, "other"), budget);
            case "ne", "!=" -> !Values.equal(value, a.required(0, "other"), budget);
            case "lt", "lessthan", "<" -> Values.compare(value, a.required(0, "other")) < 0;
            case "le", "<=" -> Values.compare(value, a.required(0, "other")) <= 0;
            case "gt", "greaterthan", ">" -> Values.compare(value, a.required(0, "other")) > 0;
            case "ge", ">=" -> Values.compare(value, a.required(0, "other")) >= 0;
            default -> throw new TemplateException("the test '" + test + "' is not supported");
        };
    }
}
