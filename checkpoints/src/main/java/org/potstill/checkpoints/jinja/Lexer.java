package org.potstill.checkpoints.jinja;

import java.util.ArrayList;
import java.util.List;

/**
 * Cuts a template into tokens, with {@code trim_blocks} and {@code lstrip_blocks} as transformers sets them: a line that
 * holds nothing but a block leaves nothing behind.
 */
final class Lexer {
    private static final String[] OPERATORS = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")",
        "[", "]", "{", "}", ".", ",", ":", "|"};

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private int counted;
    /** Whether what comes next begins a line, although no line break stands before it in the data that follow. */
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
                    add(Token.Kind.BLOCK, "");
                    inside("%}");
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
            kept = text.stripTrailing();
        } else if (sign != '+' && kind != '{') {
            int begin = text.lastIndexOf('\n') + 1;
            if ((begin > 0 || lineStart) && text.substring(begin).isBlank()) {
                kept = text.substring(0, begin);
            }
        }
        if (!kept.isEmpty()) {
            add(Token.Kind.DATA, kept);
        }
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

    /** After a tag: all white space, or the line's end, or nothing. */
    private void trim(char sign, boolean block) {
        int begin = at;
        if (sign == '-') {
            while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
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
            while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
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
        throw failed("'" + source.charAt(at) + "' has no meaning");
    }

    private void number() throws TemplateException {
        int begin = at;
        boolean real = false;
        while (at < source.length()) {
            char c = source.charAt(at);
            boolean point = c == '.' && !real && at + 1 < source.length() && Character.isDigit(source.charAt(at + 1));
            if (!(c >= '0' && c <= '9') && c != '_' && !point) {
                break;
            }
            real |= point;
            at++;
        }
        String digits = source.substring(begin, at).replace("_", "");
        try {
            add(Token.Kind.NUMBER, real ? (Object) Double.valueOf(digits) : Long.valueOf(digits));
        } catch (NumberFormatException e) {
            throw failed(digits + " is no number");
        }
    }

    private void string(char quote) throws TemplateException {
        StringBuilder text = new StringBuilder();
        for (at++; at < source.length() && source.charAt(at) != quote; at++) {
            char c = source.charAt(at);
            if (c != '\\' || at + 1 == source.length()) {
                text.append(c);
                continue;
            }
            char escaped = source.charAt(++at);
            switch (escaped) {
                case 'n' -> text.append('\n');
                case 't' -> text.append('\t');
                case 'r' -> text.append('\r');
                case '\\', '\'', '"' -> text.append(escaped);
                case 'x' -> text.append(hex(2));
                case 'u' -> text.append(hex(4));
                default -> text.append('\\').append(escaped);
            }
        }
        if (at >= source.length()) {
            throw failed("a string is not closed");
        }
        at++;
        add(Token.Kind.STRING, text.toString());
    }

    private char hex(int digits) throws TemplateException {
        String code = source.substring(at + 1, Math.min(source.length(), at + 1 + digits));
        if (!code.matches("[0-9a-fA-F]{" + digits + "}")) {
            throw failed("\\" + source.charAt(at) + code + " is no character");
        }
        at += digits;
        return (char) Integer.parseInt(code, 16);
    }

    private void add(Token.Kind kind, Object value) {
        for (; counted < Math.min(at, source.length()); counted++) {
            line += source.charAt(counted) == '\n' ? 1 : 0;
        }
        tokens.add(new Token(kind, value, line));
    }

    private TemplateException failed(String why) {
        add(Token.Kind.END, "");
        return new TemplateException("line " + line + ": " + why);
    }
}
