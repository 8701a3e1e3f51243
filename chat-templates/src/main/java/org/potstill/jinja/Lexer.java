// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A lexer that splits a template into tokens, with {@code trim_blocks} and {@code lstrip_blocks} as in transformers: a line
 * with only a block produces no output.
 */
final class Lexer {
    private static final String[] OPERATORS = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")",
        "[", "]", "{", "}", ".", ",", ":", "|"};
    private static final Pattern RAW = Pattern.compile("\\s*raw\\s*(-%\\}\\s*|%\\})", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*(\\+%\\}|-%\\}\\s*|%\\}\\n?)",
            Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern INTEGER = Pattern.compile("0[bB](_?[01])+|0[oO](_?[0-7])+|0[xX](_?[0-9a-fA-F])+|[1-9](_?[0-9])*|0(_?0)*");
    private static final Pattern REAL = Pattern.compile("([0-9]+_)*[0-9]+((\\.([0-9]+_)*[0-9]+)?[eE][+-]?([0-9]+_)*[0-9]+|\\.([0-9]+_)*[0-9]+)");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private int counted;
    /** Whether the next data begin a line, even if they do not follow a line break. */
    private boolean lineStart = true;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String source) throws TemplateException {
        String unix = source.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer = new Lexer(unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix);
        lexer.run();
        return lexer.tokens;
    }

    private void run() throws TemplateException {
        while (at < source.length()) {
            int open = open(at);
            if (open < 0) {
                add(Token.Kind.DATA, source.substring(at));
                break;
            }
            char kind = source.charAt(open + 1);
            char sign = open + 2 < source.length() ? source.charAt(open + 2) : ' ';
            data(source.substring(at, open), kind, sign);
            at = open + (sign == '-' || sign == '+' ? 3 : 2);
            switch (kind) {
                case '#' -> comment();
                case '%' -> {
                    if (!raw()) {
                        add(Token.Kind.BLOCK, "");
                        inside("%}");
                    }
                }
                default -> {
                    add(Token.Kind.VARIABLE, "");
                    inside("}}");
                }
            }
        }
        at = source.length();
        add(Token.Kind.END, "");
    }

    private int open(int from) {
        for (int i = source.indexOf('{', from); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            if ("{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    private void data(String text, char kind, char sign) {
        String kept = text;
        if (sign == '-') {
            kept = Texts.stripEnd(text);
        } else if (sign != '+' && kind != '{') {
            int begin = text.lastIndexOf('\n') + 1;
            if ((begin > 0 || lineStart) && Texts.isBlank(text.substring(begin))) {
                kept = text.substring(0, begin);
            }
        }
        if (!kept.isEmpty()) {
            add(Token.Kind.DATA, kept);
        }
    }

    /** Reads a raw block, if one begins here. */
    private boolean raw() throws TemplateException {
        Matcher begin = RAW.matcher(source).region(at, source.length());
        if (!begin.lookingAt()) {
            return false;
        }
        at = begin.end();
        lineStart = source.charAt(at - 1) == '\n';
        Matcher end = END_RAW.matcher(source).region(at, source.length());
        if (!end.find()) {
            throw failed("'endraw' is missing");
        }
        data(source.substring(at, end.start()), '%', end.group(1).isEmpty() ? ' ' : end.group(1).charAt(0));
        at = end.end();
        lineStart = source.charAt(at - 1) == '\n';
        return true;
    }

    private void comment() throws TemplateException {
        int end = source.indexOf("#}", at);
        if (end < 0) {
            throw failed("a comment is not closed");
        }
        char sign = end > at ? source.charAt(end - 1) : ' ';
        at = end + 2;
        trim(sign, true);
    }

    /** Skips white space after a tag: all of it, the line break, or none. */
    private void trim(char sign, boolean block) {
        int begin = at;
        if (sign == '-') {
            while (at < source.length() && Texts.isSpace(source.charAt(at))) {
                at++;
            }
        } else if (block && sign != '+' && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
        lineStart = at > begin && source.charAt(at - 1) == '\n';
    }

    private void inside(String close) throws TemplateException {
        int open = 0;
        while (true) {
            while (at < source.length() && Texts.isSpace(source.charAt(at))) {
                at++;
            }
            if (at >= source.length()) {
                throw failed("a tag is not closed");
            }
            char c = source.charAt(at);
            boolean signed = (c == '-' || c == '+' && close.equals("%}")) && source.startsWith(close, at + 1);
            if (open == 0 && (signed || source.startsWith(close, at))) {
                add(Token.Kind.CLOSE, "");
                at += signed ? 3 : 2;
                trim(signed ? c : ' ', close.equals("%}"));
                return;
            }
            if (c == '\'' || c == '"') {
                string(c);
            } else if (c >= '0' && c <= '9') {
                number();
            } else if (Character.isLetter(c) || c == '_') {
                int begin = at;
                while (at < source.length() && (Character.isLetterOrDigit(source.charAt(at)) || source.charAt(at) == '_')) {
                    at++;
                }
                add(Token.Kind.NAME, source.substring(begin, at));
            } else {
                String operator = operator();
                open += "([{".contains(operator) ? 1 : ")]}".contains(operator) ? -1 : 0;
            }
        }
    }

    private String operator() throws TemplateException {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                add(Token.Kind.OPERATOR, operator);
                at += operator.length();
                return operator;
            }
        }
        throw failed("'" + source.charAt(at) + "' is not expected here");
    }

    private void number() throws TemplateException {
        // After a dot, a number is an index, as in m.content.0.type.
        Matcher real = REAL.matcher(source).region(at, source.length());
        boolean isReal = source.charAt(at - 1) != '.' && real.lookingAt();
        Matcher number = isReal ? real : INTEGER.matcher(source).region(at, source.length());
        if (!isReal && !number.lookingAt()) {
            throw failed("'" + source.charAt(at) + "' does not begin a number");
        }
        String digits = number.group().replace("_", "");
        try {
            add(Token.Kind.NUMBER, isReal ? (Object) Double.valueOf(digits) : integer(digits));
        } catch (NumberFormatException e) {
            throw failed("the number " + Texts.shortened(digits) + " is out of range");
        }
        at = number.end();
    }

    private static Long integer(String digits) {
        char kind = digits.length() > 1 ? Character.toLowerCase(digits.charAt(1)) : ' ';
        return switch (kind) {
            case 'x' -> Long.valueOf(digits.substring(2), 16);
            case 'o' -> Long.valueOf(digits.substring(2), 8);
            case 'b' -> Long.valueOf(digits.substring(2), 2);
            default -> Long.valueOf(digits);
        };
    }

    private void string(char quote) throws TemplateException {
        int begin = at + 1;
        for (at++; at < source.length() && source.charAt(at) != quote; at++) {
            at += source.charAt(at) == '\\' ? 1 : 0;
        }
        if (at >= source.length()) {
            throw failed("a string is not closed");
        }
        String text;
        try {
            text = Escapes.resolved(source.substring(begin, at));
        } catch (TemplateException e) {
            throw failed(e.getMessage());
        }
        at++;
        add(Token.Kind.STRING, text);
    }

    private void add(Token.Kind kind, Object value) {
        for (; counted < Math.min(at, source.length()); counted++) {
            line += source.charAt(counted) == '\n' ? 1 : 0;
        }
        tokens.add(new Token(kind, value, line));
    }

    private TemplateException failed(String why) {
        add(Token.Kind.END, "");
        return TemplateException.at(line, why);
    }
}
