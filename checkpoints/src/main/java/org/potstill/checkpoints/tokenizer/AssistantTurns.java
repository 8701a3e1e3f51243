// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.potstill.jinja.Rendering.Span;
import org.potstill.jinja.TemplateException;

/**
 * The places of the assistant's responses in a rendered conversation, found by rendering parts of it again.
 *
 * <p>A response begins where the conversation before it ends when rendered as a prompt. If that is not how the whole rendering begins,
 * it begins where the two part behind the previous content; and if that has no place, with its own content. It ends with the first token at which the model stops after its content and before the next message;
 * otherwise with a special token that follows the content; otherwise with the content. The content is located by rendering the
 * conversation with another content in its place: what is equal before and after it is not the content.
 */
final class AssistantTurns {
    /** Must not be affected by trimming or splitting, or be found in a conversation. */
    private static final String STAND_IN = "Zq8StandInOfAContentvX3";

    private final ChatTemplate template;
    private final Chat chat;
    private final String text;
    private final TokenizedText tokens;
    private final List<Integer> stopIds;
    private final Set<Integer> special;

    AssistantTurns(ChatTemplate template, Chat chat, String text, TokenizedText tokens, List<Integer> stopIds, Set<Integer> special) {
        this.template = template;
        this.chat = chat;
        this.text = text;
        this.tokens = tokens;
        this.stopIds = stopIds;
        this.special = special;
    }

    /** Returns the places of all responses, in order. */
    List<Span> find() throws UnusableChatException {
        List<Span> spans = new ArrayList<>();
        int before = 0;
        for (int i = 0; i < chat.messages().size(); i++) {
            if (chat.isAssistant(i)) {
                Span response = response(i);
                if (response.from() < before || response.to() < response.from()) {
                    throw unknown(i);
                }
                spans.add(response);
                before = response.to();
            }
        }
        return spans;
    }

    /** Returns the index of the first of those spans that are the last response, given the template's marks. */
    int lastOf(List<Span> marked) {
        int last = chat.lastAssistant();
        int begin = last < 0 ? -1 : prefix(chat.first(last), true);
        int first = marked.size() - 1;
        while (first > 0 && (begin >= 0 ? marked.get(first - 1).from() >= begin : marked.get(first - 1).to() == marked.get(first).from())) {
            first--;
        }
        return first;
    }

    private Span response(int i) throws UnusableChatException {
        Span content = content(i);
        int prompt = prefix(chat.first(i), true);
        prompt = prompt >= 0 ? prompt : behindPrevious(i);
        int from = prompt >= 0 ? prompt : content.from();
        if (from < 0) {
            throw unknown(i);
        }
        int exact = i == chat.messages().size() - 1 ? text.length() : prefix(chat.first(i + 1), false);
        int limit = exact >= 0 ? exact : bound(i + 1);
        int said = Math.max(from, content.to());
        Optional<Integer> stop = end(said, limit, false);
        if (stop.isPresent()) {
            return new Span(from, stop.get());
        }
        if (content.to() >= 0 && chat.messages().get(i).get("tool_calls") == null) {
            return new Span(from, end(said, limit, true).orElse(said));
        }
        if (exact < 0) {
            throw unknown(i);
        }
        return new Span(from, exact);
    }

    /** Returns where a prompt and the whole rendering part behind the previous content, or −1. */
    private int behindPrevious(int i) {
        int to = i == 0 ? -1 : content(i - 1).to();
        String prompt = to < 0 ? "" : render(chat.first(i).withContent(i - 1, STAND_IN), true).orElse("");
        int at = prompt.lastIndexOf(STAND_IN);
        String after = at < 0 ? "" : prompt.substring(at + STAND_IN.length());
        int same = 0;
        while (same < after.length() && to + same < text.length() && after.charAt(same) == text.charAt(to + same)) {
            same++;
        }
        return at >= 0 && (same > 0 || after.isEmpty()) ? to + same : -1;
    }

    /** Returns the place after the first token that ends a turn: one at which the model stops, or a special one that follows at once. */
    private Optional<Integer> end(int said, int limit, boolean atOnce) {
        for (int t = 0; t < tokens.ids().length && tokens.from()[t] < limit; t++) {
            if (tokens.to()[t] > said && (atOnce ? tokens.from()[t] <= said && special.contains(tokens.ids()[t]) : stopIds.contains(tokens.ids()[t]))) {
                return Optional.of(tokens.to()[t]);
            }
        }
        return Optional.empty();
    }

    /** Returns a place at or after the end of the previous message's turn, and within the first of these messages that can be located. */
    private int bound(int message) {
        for (int j = message; j < chat.messages().size(); j++) {
            int begin = chat.isAssistant(j) ? prefix(chat.first(j), true) : -1;
            int from = begin >= 0 ? begin : content(j).from();
            if (from >= 0) {
                return from;
            }
        }
        return text.length();
    }

    /** Returns the length of a rendering if the whole one begins with it, or −1. */
    private int prefix(Chat beginning, boolean prompt) {
        Optional<String> rendered = render(beginning, prompt);
        return rendered.isPresent() && text.startsWith(rendered.get()) ? rendered.get().length() : -1;
    }

    /** Locates a message's content; −1 for an end that cannot be determined. */
    private Span content(int message) {
        if (chat.messages().get(message).get("content") == null || text.contains(STAND_IN)) {
            return new Span(-1, -1);
        }
        String other = render(chat.withContent(message, STAND_IN), false).orElse("");
        int at = other.indexOf(STAND_IN);
        if (at < 0 || other.indexOf(STAND_IN, at + 1) >= 0) {
            return new Span(-1, -1);
        }
        String after = other.substring(at + STAND_IN.length());
        int from = text.startsWith(other.substring(0, at)) ? at : -1;
        int to = text.endsWith(after) ? text.length() - after.length() : -1;
        return to >= 0 && to < from ? new Span(-1, -1) : new Span(from, to);
    }

    private Optional<String> render(Chat other, boolean prompt) {
        try {
            return Optional.of(template.render(other, prompt).text());
        } catch (TemplateException e) {
            return Optional.empty();
        }
    }

    private static UnusableChatException unknown(int message) {
        return new UnusableChatException("message " + (message + 1) + ", a response, cannot be located in what the chat template makes of it; "
                + "a template that marks responses with {% generation %} would help");
    }
}
