// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables visible at a place in a template. Those set in a scope are not visible outside it. */
final class Scope {
    private final Scope outer;
    private final Map<String, Object> variables = new HashMap<>();
    final Budget budget;
    final Generations generations;

    Scope(Budget budget, Generations generations) {
        this.outer = null;
        this.budget = budget;
        this.generations = generations;
    }

    Scope(Scope outer) {
        this.outer = outer;
        this.budget = outer.budget;
        this.generations = outer.generations;
    }

    Object get(String name) throws TemplateException {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            if (scope.variables.containsKey(name)) {
                Object value = scope.variables.get(name);
                if (value == JinjaTemplate.UNKNOWN) {
                    throw new TemplateException("the value of '" + name + "' for this model is unknown");
                }
                return value;
            }
        }
        return new Undefined(name);
    }

    Scope set(String name, Object value) {
        variables.put(name, value);
        return this;
    }
}
