package org.potstill.checkpoints;

import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.jinja.JinjaTemplate;
import org.potstill.checkpoints.jinja.TemplateException;

/** How a model was taught to read conversations: its {@code chat_template}, a Jinja template, rendered as transformers does. */
public final class ChatTemplate {
    /** To transformers they have the tokenizer's values, which its definition does not keep here. */
    private static final List<String> UNKNOWN_TOKENS =
            List.of("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "additional_special_tokens");

    private final JinjaTemplate template;
    private final Map<String, String> documentTokens = new LinkedHashMap<>();

    /**
     * @param tokenizer made of the definition; not needed any more when this returns
     * @throws org.potstill.errors.UserException where there is no template, or it is not well-formed
     */
    public ChatTemplate(TokenizerDefinition definition, Tokenizer tokenizer) {
        if (definition.chatTemplate().isBlank()) {
            throw CheckpointErrors.noChatTemplate();
        }
        try {
            template = new JinjaTemplate(definition.chatTemplate(), LocalDateTime::now);
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

    /** In the order in which transformers has them: a template may print a message whole. */
    private static Map<String, Object> members(ChatMessage message) {
        Map<String, Object> members = new LinkedHashMap<>();
        members.put("role", message.role());
        members.put("content", message.content());
        return members;
    }

    /** The text of a conversation, up to where the model is to speak; to be encoded with its special tokens. */
    public String render(List<ChatMessage> messages) {
        Map<String, Object> variables = new LinkedHashMap<>();
        UNKNOWN_TOKENS.forEach(name -> variables.put(name, JinjaTemplate.UNKNOWN));
        variables.putAll(documentTokens);
        variables.put("messages", messages.stream().map(ChatTemplate::members).toList());
        variables.put("add_generation_prompt", true);
        // As transformers has it: defined, and none.
        variables.put("tools", null);
        variables.put("documents", null);
        try {
            return template.render(variables);
        } catch (TemplateException e) {
            throw CheckpointErrors.badChatTemplate(e.getMessage());
        }
    }
}
