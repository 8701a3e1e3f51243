// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.List;
import org.potstill.jinja.Token.Kind;

/** A parser's position in a list of tokens. */
final class Cursor {
    private final List<Token> tokens;
    private int at;

    Cursor(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(at);
    }

    Token afterNext() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    /** Returns the number of tokens consumed. */
    int position() {
        return at;
    }

    /** Returns whether a variable of this name is between two positions. */
    boolean mentions(String name, int from, int to) {
        for (int i = Math.max(1, from); i < to; i++) {
            if (tokens.get(i).is(Kind.NAME, name) && !tokens.get(i - 1).is(Kind.OPERATOR, ".")) {
                return true;
            }
        }
        return false;
    }

    Token next() {
        Token token = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean accept(Kind kind, Object value) {
        boolean there = peek().is(kind, value);
        if (there) {
            next();
        }
        return there;
    }

    boolean operator(String operator) {
        return accept(Kind.OPERATOR, operator);
    }

    boolean keyword(String name) {
        return accept(Kind.NAME, name);
    }

    void expect(Kind kind, Object value) throws TemplateException {
        if (!accept(kind, value)) {
            throw failed("'" + (kind == Kind.CLOSE ? "end of tag" : value) + "' is missing before '" + peek().value() + "'");
        }
    }

    String name() throws TemplateException {
        if (peek().kind() != Kind.NAME) {
            throw failed("a name is missing before '" + peek().value() + "'");
        }
        return (String) next().value();
    }

    TemplateException failed(String why) {
        return TemplateException.at(peek().line(), why);
    }
}
