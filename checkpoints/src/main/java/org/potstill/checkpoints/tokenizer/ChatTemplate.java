// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.jinja.JinjaTemplate;
import org.potstill.jinja.Rendering;
import org.potstill.jinja.TemplateException;

/** The format in which a model reads conversations: its {@code chat_template}, a Jinja template, rendered as in transformers. */
public final class ChatTemplate {
    /** Variables that transformers sets from the tokenizer, but whose values the definition does not keep. */
    private static final List<String> UNKNOWN_TOKENS =
            List.of("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "additional_special_tokens");

    private final JinjaTemplate template;
    private final Map<String, String> documentTokens = new LinkedHashMap<>();

    /**
     * Parses a model's template; one that prints the time prints the current one.
     *
     * @param tokenizer made from the definition; not needed after the constructor returns
     * @throws org.potstill.errors.UserException if there is no template, or it is malformed
     */
    public ChatTemplate(TokenizerDefinition definition, Tokenizer tokenizer) {
        this(definition, tokenizer, LocalDateTime::now);
    }

    /** Parses a model's template likewise, for another time. */
    ChatTemplate(TokenizerDefinition definition, Tokenizer tokenizer, Supplier<LocalDateTime> now) {
        if (definition.chatTemplate().isBlank()) {
            throw CheckpointErrors.noChatTemplate();
        }
        try {
            template = new JinjaTemplate(definition.chatTemplate(), now);
        } catch (TemplateException e) {
            throw CheckpointErrors.badChatTemplate(e.getMessage());
        }
        addToken("bos_token", tokenizer, definition.bosId());
        addToken("eos_token", tokenizer, definition.eosId());
    }

    private void addToken(String name, Tokenizer tokenizer, int id) {
        if (id >= 0) {
            documentTokens.put(name, tokenizer.decode(new int[] {id}));
        }
    }

    /** Whether the template itself marks the assistant's part of a conversation. */
    boolean marksGenerations() {
        return template.marksGenerations();
    }

    /** Renders a conversation up to the model's turn; encode the text with its special tokens. */
    public String render(List<ChatMessage> messages) {
        try {
            return render(Chat.of(messages), true).text();
        } catch (TemplateException e) {
            throw CheckpointErrors.badChatTemplate(e.getMessage());
        }
    }

    /**
     * Renders a conversation.
     *
     * @param prompt whether to go on to the beginning of the model's turn
     * @throws TemplateException if the template rejects the conversation or fails
     */
    Rendering render(Chat chat, boolean prompt) throws TemplateException {
        Map<String, Object> variables = new LinkedHashMap<>();
        UNKNOWN_TOKENS.forEach(name -> variables.put(name, JinjaTemplate.UNKNOWN));
        variables.putAll(documentTokens);
        variables.put("messages", chat.forTemplate());
        variables.put("add_generation_prompt", prompt);
        // Defined as none, as in transformers.
        variables.put("tools", chat.tools());
        variables.put("documents", null);
        return template.render(variables);
    }
}
