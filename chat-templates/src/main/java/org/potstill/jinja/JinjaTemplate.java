// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * A template in the subset of Jinja 2 that chat templates use, set up as in transformers: {@code trim_blocks} and {@code
 * lstrip_blocks}, {@code break} and {@code continue}, {@code raise_exception}, {@code strftime_now}, {@code tojson}
 * without escapes, no HTML escaping. Anything unknown, arguments included, is rejected by name.
 *
 * <p>A template cannot reach Java: values are those of {@link Values}, and members, filters, tests and functions those
 * listed here. Rendering that takes too long or produces too much is aborted, see {@link Budget}.
 */
public final class JinjaTemplate {
    /** Value of a variable whose actual value is unknown here: templates that use it are rejected. */
    public static final Object UNKNOWN = new Object();
    /** Prefix of messages that a template raises with {@code raise_exception}. */
    public static final String RAISED = "it says: ";
    private static final int MAX_SOURCE_CHARS = 1 << 20;

    /** As in transformers. */
    private static final Pattern GENERATION = Pattern.compile("\\{%-?\\s*generation\\s*-?%\\}");

    private final Statement statement;
    private final boolean marksGenerations;
    private final Supplier<LocalDateTime> now;

    /**
     * Parses a template.
     *
     * @param now time for {@code strftime_now}
     * @throws TemplateException if it is malformed or uses something unsupported
     */
    public JinjaTemplate(String source, Supplier<LocalDateTime> now) throws TemplateException {
        if (source.length() > MAX_SOURCE_CHARS) {
            throw new TemplateException("it is longer than " + MAX_SOURCE_CHARS + " characters");
        }
        this.now = now;
        this.marksGenerations = GENERATION.matcher(source).find();
        try {
            this.statement = Statements.parse(Lexer.tokens(source));
        } catch (StackOverflowError e) {
            throw new TemplateException("it is nested too deeply");
        }
    }

    /** Whether the template marks the model's part of a conversation, in blocks named {@code generation}. */
    public boolean marksGenerations() {
        return marksGenerations;
    }

    /**
     * Renders the template.
     *
     * @param variables String, Long, Double, Boolean, lists and maps of these, null and {@link #UNKNOWN}
     * @throws TemplateException if the template fails, raises an exception, or exceeds its budget
     */
    public Rendering render(Map<String, ?> variables) throws TemplateException {
        Generations generations = new Generations();
        Scope globals = new Scope(new Budget(), generations);
        globals.set("raise_exception", (Function) (arguments, budget) -> {
            arguments.checked("raise_exception", List.of("message"));
            throw new TemplateException(RAISED + Writing.text(arguments.required(0, "message"), budget));
        });
        globals.set("strftime_now", (Function) (arguments, budget) ->
                Times.text(arguments.checked("strftime_now", List.of("format")).text(0, "format"), now.get()));
        globals.set("namespace", (Function) (arguments, budget) -> Members.Namespace.of(mapping("namespace", arguments)));
        globals.set("dict", (Function) (arguments, budget) -> mapping("dict", arguments));
        globals.set("range", (Function) View::range);
        globals.set("joiner", (Function) JinjaTemplate::joiner);
        globals.set("cycler", (Function) (arguments, budget) -> new Members.Cycler(arguments));
        globals.set("lipsum", (Function) (arguments, budget) -> {
            throw new TemplateException("'lipsum' is random, which is not supported");
        });
        globals.set("self", UNKNOWN);
        variables.forEach(globals::set);
        try {
            statement.run(new Scope(globals), generations.out);
        } catch (StackOverflowError e) {
            throw new TemplateException("it recurses too deeply");
        }
        return generations.rendering();
    }

    /** Makes a mapping from another mapping or from pairs, and from named arguments. */
    private static Map<Object, Object> mapping(String function, Function.Arguments arguments) throws TemplateException {
        if (arguments.places().size() > 1) {
            throw new TemplateException("'" + function + "' is given " + arguments.places().size() + " arguments, but takes 1");
        }
        Map<Object, Object> mapping = new LinkedHashMap<>();
        Object first = arguments.places().isEmpty() ? List.of() : arguments.places().get(0);
        if (first instanceof Map<?, ?> map) {
            mapping.putAll(map);
        } else {
            for (Object pair : Values.items(first)) {
                List<Object> values = Values.items(pair);
                if (values.size() != 2) {
                    throw new TemplateException("'" + function + "' is given something that is not a pair");
                }
                mapping.put(Values.key(values.get(0)), values.get(1));
            }
        }
        mapping.putAll(arguments.names());
        return mapping;
    }

    /** Makes Jinja's {@code joiner}: empty on the first call, then its separator. */
    private static Object joiner(Function.Arguments arguments, Budget budget) throws TemplateException {
        Object separator = arguments.checked("joiner", List.of("sep")).get(0, "sep", ", ");
        boolean[] used = new boolean[1];
        return (Function) (none, more) -> {
            none.checked("joiner", List.of());
            boolean first = !used[0];
            used[0] = true;
            return first ? "" : separator;
        };
    }
}
