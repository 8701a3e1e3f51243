// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables that can be seen from a place in a template; what is set here is not seen outside. */
final class Scope {
    private final Scope outer;
    private final Map<String, Object> variables = new HashMap<>();
    final Budget budget;

    Scope(Budget budget) {
        this.outer = null;
        this.budget = budget;
    }

    Scope(Scope outer) {
        this.outer = outer;
        this.budget = outer.budget;
    }

    Object get(String name) throws TemplateException {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            if (scope.variables.containsKey(name)) {
                Object value = scope.variables.get(name);
                if (value == JinjaTemplate.UNKNOWN) {
                    throw new TemplateException("what '" + name + "' is to this model is not known here");
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
