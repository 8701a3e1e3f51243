// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A value with members but no keys. */
interface Members {
    /** Returns a member; undefined if there is none of this name. */
    Object member(String name) throws TemplateException;

    /** Jinja's {@code namespace}, the only value that a template can change. */
    record Namespace(Map<String, Object> values) implements Members {
        static Namespace of(Map<Object, Object> values) throws TemplateException {
            Namespace namespace = new Namespace(new LinkedHashMap<>());
            for (Map.Entry<Object, Object> value : values.entrySet()) {
                namespace.set(Values.requireText(value.getKey()), value.getValue());
            }
            return namespace;
        }

        void set(String name, Object value) throws TemplateException {
            if (name.startsWith("_")) {
                throw new TemplateException("a namespace member must not begin with _: " + name);
            }
            values.put(name, value);
        }

        @Override
        public Object member(String name) {
            return values.containsKey(name) ? values.get(name) : new Undefined(name);
        }
    }

    /** Jinja's {@code cycler}, which repeats its arguments endlessly. */
    final class Cycler implements Members {
        private final List<Object> items;
        private int at;

        Cycler(Function.Arguments arguments) throws TemplateException {
            if (arguments.places().isEmpty() || !arguments.names().isEmpty()) {
                throw new TemplateException("a cycler needs items");
            }
            items = arguments.places();
        }

        @Override
        public Object member(String name) {
            return switch (name) {
                case "current" -> items.get(at);
                case "next" -> (Function) (arguments, budget) -> {
                    Object item = items.get(at);
                    at = (at + 1) % items.size();
                    return item;
                };
                case "reset" -> (Function) (arguments, budget) -> {
                    at = 0;
                    return null;
                };
                default -> new Undefined(name);
            };
        }
    }
}
