package org.potstill.checkpoints.jinja;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatterBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A template in the part of Jinja 2 that chat templates are written in, and as transformers sets it up: {@code trim_blocks}
 * and {@code lstrip_blocks}, {@code break} and {@code continue}, {@code raise_exception}, {@code strftime_now},
 * {@code tojson} without escapes, nothing escaped for HTML. What is not known is refused by name.
 *
 * <p>Nothing of Java can be reached from a template: values are those of {@link Values}, and members, filters, tests and
 * functions are those listed here. A rendering that takes too long or makes too much is ended, see {@link Budget}.
 */
public final class JinjaTemplate {
    private static final int MAX_SOURCE_CHARS = 1 << 20;

    private final Statements.Statement statement;
    private final Supplier<LocalDateTime> now;

    /** @param now for {@code strftime_now} */
    public JinjaTemplate(String source, Supplier<LocalDateTime> now) throws TemplateException {
        if (source.length() > MAX_SOURCE_CHARS) {
            throw new TemplateException("it is longer than " + MAX_SOURCE_CHARS + " characters");
        }
        this.now = now;
        try {
            this.statement = Statements.parse(Lexer.tokens(source));
        } catch (StackOverflowError e) {
            throw new TemplateException("it is nested too deeply");
        }
    }

    /** @param variables texts, Long, Double, Boolean, lists and maps of these, and null */
    public String render(Map<String, ?> variables) throws TemplateException {
        Scope globals = new Scope(new Budget());
        globals.set("raise_exception", (Function) (arguments, budget) -> {
            throw new TemplateException("it says: " + Writing.text(arguments.required(0, "message"), budget));
        });
        globals.set("strftime_now", (Function) (arguments, budget) -> time(arguments.text(0, "format")));
        globals.set("namespace", (Function) (arguments, budget) -> new Methods.Namespace(new LinkedHashMap<>(arguments.names())));
        globals.set("dict", (Function) (arguments, budget) -> new LinkedHashMap<>(arguments.names()));
        globals.set("range", (Function) JinjaTemplate::range);
        variables.forEach(globals::set);
        StringBuilder out = new StringBuilder();
        try {
            statement.run(new Scope(globals), out);
        } catch (StackOverflowError e) {
            throw new TemplateException("it goes too deep");
        }
        return out.toString();
    }

    private static Object range(Function.Arguments arguments, Budget budget) throws TemplateException {
        int count = arguments.places().size();
        long from = count > 1 ? Values.requireInteger(arguments.places().get(0)) : 0;
        long to = Values.requireInteger(arguments.required(Math.min(1, Math.max(0, count - 1)), "stop"));
        long step = count > 2 ? Values.requireInteger(arguments.places().get(2)) : 1;
        if (step == 0) {
            throw new TemplateException("it counts in steps of 0");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            numbers.add(i);
            budget.items(numbers.size());
        }
        return numbers;
    }

    /** Python's {@code strftime}, as far as dates and times of day go. */
    private String time(String format) throws TemplateException {
        DateTimeFormatterBuilder formatter = new DateTimeFormatterBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                formatter.appendLiteral(c);
                continue;
            }
            char letter = format.charAt(++i);
            switch (letter) {
                case 'd' -> formatter.appendPattern("dd");
                case 'm' -> formatter.appendPattern("MM");
                case 'Y' -> formatter.appendPattern("yyyy");
                case 'y' -> formatter.appendPattern("yy");
                case 'b' -> formatter.appendPattern("MMM");
                case 'B' -> formatter.appendPattern("MMMM");
                case 'a' -> formatter.appendPattern("EEE");
                case 'A' -> formatter.appendPattern("EEEE");
                case 'H' -> formatter.appendPattern("HH");
                case 'I' -> formatter.appendPattern("hh");
                case 'M' -> formatter.appendPattern("mm");
                case 'S' -> formatter.appendPattern("ss");
                case 'p' -> formatter.appendPattern("a");
                case 'j' -> formatter.appendPattern("DDD");
                case '%' -> formatter.appendLiteral('%');
                default -> throw new TemplateException("the time's %" + letter + " is not supported");
            }
        }
        return formatter.toFormatter(Locale.ENGLISH).format(now.get());
    }
}
