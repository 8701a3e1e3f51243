// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;
import org.potstill.jinja.Rendering;
import org.potstill.jinja.Rendering.Span;
import org.potstill.jinja.TemplateException;

/**
 * An encoder of whole conversations, with the tokens of transformers' {@code apply_chat_template(messages, tools=tools)}, which also
 * tells the assistant's tokens: as {@code return_assistant_tokens_mask} does if the template marks them, otherwise as
 * {@link AssistantTurns} finds them.
 */
public final class ChatEncoder {
    private final ChatTemplate template;
    private final Tokenizer tokenizer;
    private final List<Integer> stopIds;
    private final Set<Integer> special = new HashSet<>();

    /**
     * Creates an encoder.
     *
     * @param tokenizer made from the definition, which must stay open
     * @param today     date for templates that print the current one, at midnight
     * @throws org.potstill.errors.UserException if there is no template, or it is malformed
     */
    public ChatEncoder(TokenizerDefinition definition, Tokenizer tokenizer, LocalDate today) {
        this.template = new ChatTemplate(definition, tokenizer, today::atStartOfDay);
        this.tokenizer = tokenizer;
        this.stopIds = definition.stopIds();
        try {
            for (Map<String, Object> added : TokenizerJson.addedTokens(Json.object(definition.json()))) {
                if (Boolean.TRUE.equals(added.get("special")) && added.get("id") instanceof Long id) {
                    special.add(id.intValue());
                }
            }
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    /**
     * Encodes a conversation.
     *
     * @param trusted whether special tokens spelled out in messages are treated as such, instead of making the conversation unusable
     * @throws UnusableChatException if the template rejects the conversation, or the assistant's tokens cannot be determined
     */
    public EncodedChat encode(Chat chat, boolean trusted) throws UnusableChatException {
        Rendering rendering = rendering(chat, trusted, false);
        TokenizedText tokens = tokenizer.encodeWithPlaces(rendering.text());
        AssistantTurns turns = new AssistantTurns(template, chat, rendering.text(), tokens, stopIds, special);
        List<Span> spans = template.marksGenerations() ? rendering.generated() : turns.find();
        int last = template.marksGenerations() ? turns.lastOf(spans) : spans.size() - 1;
        return new EncodedChat(tokens.ids(), parts(tokens, spans, last));
    }

    /**
     * Encodes a conversation up to the assistant's turn that comes next.
     *
     * @param trusted see {@link #encode}
     * @throws UnusableChatException if the template rejects the conversation
     */
    public int[] prompt(Chat chat, boolean trusted) throws UnusableChatException {
        return tokenizer.encode(rendering(chat, trusted, true).text(), true);
    }

    private Rendering rendering(Chat chat, boolean trusted, boolean asksForAnswer) throws UnusableChatException {
        if (!trusted) {
            requireNoSpecialTokens(chat);
        }
        try {
            return template.render(chat, asksForAnswer);
        } catch (TemplateException e) {
            throw new UnusableChatException("the chat template does not render it: " + e.getMessage());
        }
    }

    /** Marks the tokens that overlap a span, as transformers does. */
    private static byte[] parts(TokenizedText tokens, List<Span> spans, int last) {
        byte[] parts = new byte[tokens.ids().length];
        int span = 0;
        for (int t = 0; t < parts.length; t++) {
            while (span < spans.size() && tokens.from()[t] >= spans.get(span).to()) {
                span++;
            }
            if (span < spans.size() && tokens.to()[t] > spans.get(span).from()) {
                parts[t] = span < last ? EncodedChat.RESPONSE : EncodedChat.LAST_RESPONSE;
            }
        }
        return parts;
    }

    private void requireNoSpecialTokens(Chat chat) throws UnusableChatException {
        for (int i = 0; i < chat.messages().size(); i++) {
            requireNoSpecialTokens("message " + (i + 1), chat.messages().get(i));
        }
        requireNoSpecialTokens("the description of its tools", chat.tools());
    }

    private void requireNoSpecialTokens(String where, Object value) throws UnusableChatException {
        List<String> texts = new ArrayList<>();
        collect(value, texts);
        for (String text : texts) {
            int[] ids = tokenizer.encode(text, true);
            if (!Arrays.equals(ids, tokenizer.encode(text, false))) {
                int found = IntStream.of(ids).filter(special::contains).findFirst().orElse(-1);
                throw new UnusableChatException(where + " spells out " + (found < 0 ? "a special token" : "the special token '"
                        + tokenizer.decode(new int[] {found}) + "'") + ", which would end or begin a turn; if the corpus is from a trusted "
                        + "source, set corpus.special-tokens = true");
            }
        }
    }

    /** Lists all texts in a value, and what the texts among a list's parts make together. */
    private static void collect(Object value, List<String> texts) {
        if (value instanceof String text) {
            texts.add(text);
        } else if (value instanceof Map<?, ?> members) {
            members.forEach((name, member) -> {
                texts.add((String) name);
                collect(member, texts);
            });
        } else if (value instanceof List<?> items) {
            StringBuilder joined = new StringBuilder();
            for (Object item : items) {
                collect(item, texts);
                joined.append(item instanceof Map<?, ?> part && part.get("text") instanceof String text ? text : "");
            }
            texts.add(joined.toString());
        }
    }
}
