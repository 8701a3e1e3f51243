// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.List;
import org.potstill.jinja.Token.Kind;

/** Target of an assignment: a name, a member of a namespace, or several of these for the items of a list. */
interface Target {
    /**
     * Assigns a value.
     *
     * @param into scope in which names are set
     */
    void assign(Object value, Scope into) throws TemplateException;

    /**
     * Parses a target.
     *
     * @param members whether members of namespaces are allowed
     */
    static Target parse(Cursor cursor, boolean members) throws TemplateException {
        List<Target> targets = new ArrayList<>();
        boolean several = false;
        do {
            targets.add(single(cursor, members));
            several |= cursor.peek().is(Kind.OPERATOR, ",");
        } while (cursor.operator(",") && (cursor.peek().kind() == Kind.NAME && !cursor.peek().is(Kind.NAME, "in")
                || cursor.peek().is(Kind.OPERATOR, "(")));
        return several ? (value, into) -> unpack(targets, value, into) : targets.get(0);
    }

    private static Target single(Cursor cursor, boolean members) throws TemplateException {
        if (cursor.operator("(")) {
            Target inner = parse(cursor, members);
            cursor.expect(Kind.OPERATOR, ")");
            return inner;
        }
        String name = cursor.name();
        if (!members || !cursor.operator(".")) {
            return (value, into) -> into.set(name, value);
        }
        String member = cursor.name();
        return (value, into) -> {
            if (!(into.get(name) instanceof Members.Namespace namespace)) {
                throw new TemplateException("it sets a member of '" + name + "', which is not a namespace");
            }
            namespace.set(member, value);
            into.budget.items(namespace.values().size());
        };
    }

    private static void unpack(List<Target> targets, Object value, Scope into) throws TemplateException {
        List<Object> values = Values.items(value);
        if (values.size() != targets.size()) {
            throw new TemplateException("it assigns " + values.size() + " values to " + targets.size() + " names");
        }
        for (int i = 0; i < targets.size(); i++) {
            targets.get(i).assign(values.get(i), into);
        }
    }
}
