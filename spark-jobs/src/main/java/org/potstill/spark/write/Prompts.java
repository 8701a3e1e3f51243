// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.tokenizer.Chat;
import org.potstill.checkpoints.tokenizer.ChatEncoder;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.checkpoints.tokenizer.UnusableChatException;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.corpus.Document;

/**
 * The rendering of documents as prompts by the teacher's chat template: a text is a user's message, and of a conversation the last
 * answer is left out.
 *
 * @param system  system message; empty for none
 * @param trusted whether special tokens spelled out in a document are treated as such, instead of making it unusable
 * @param today   date for templates that print the current one
 * @param keys    which key the prompts
 * @param rows    rows of the teacher's embedding
 * @param longest tokens that the teacher reads, at most
 */
record Prompts(String system, boolean trusted, LocalDate today, AnswerKeys keys, int rows, int longest) implements Serializable {
    private static final String ASSISTANT = "assistant";
    /** Roles that come before an answer. */
    private static final Set<String> ASKING = Set.of("user", "tool");
    private static final ExecutorCache<Rendering> RENDERINGS = new ExecutorCache<>();

    /** A teacher's template and tokenizer. */
    static final class Rendering implements AutoCloseable {
        private final Tokenizer tokenizer;
        private final ChatEncoder encoder;

        Rendering(TokenizerDefinition definition, LocalDate today) {
            tokenizer = new Tokenizer(definition);
            encoder = new ChatEncoder(definition, tokenizer, today);
        }

        int[] tokens(Chat chat, boolean trusted) throws UnusableChatException {
            return encoder.prompt(chat, trusted);
        }

        String text(int[] tokens) {
            return tokenizer.decode(tokens);
        }

        @Override
        public void close() {
            tokenizer.close();
        }
    }

    Rendering rendering(TokenizerDefinition definition) {
        return RENDERINGS.get(keys.tokenizer() + today + definition.chatTemplate(), () -> new Rendering(definition, today));
    }

    /**
     * Returns the number of tokens with which all prompts of a system message begin: that of two that have nothing else in common.
     *
     * @throws org.potstill.errors.UserException if the teacher has no chat template, or it cannot render a system message
     */
    static int shared(TokenizerDefinition definition, String system, LocalDate today) {
        try (Rendering rendering = new Rendering(definition, today)) {
            int[] one = rendering.tokens(new Chat(messages(system, "0"), null), true);
            int[] other = rendering.tokens(new Chat(messages(system, "x"), null), true);
            int shared = 0;
            while (shared < Math.min(one.length, other.length) && one[shared] == other[shared]) {
                shared++;
            }
            return shared;
        } catch (UnusableChatException e) {
            throw CheckpointErrors.badChatTemplate(e.getMessage());
        }
    }

    private static List<Map<String, Object>> messages(String system, String text) {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (!system.isEmpty()) {
            messages.add(message("system", system));
        }
        messages.add(message("user", text));
        return messages;
    }

    private static Map<String, Object> message(String role, String content) {
        Map<String, Object> members = new LinkedHashMap<>();
        members.put("role", role);
        members.put("content", content);
        return members;
    }

    JavaRDD<Prompt> apply(JavaRDD<Document> documents, TokenizerDefinition definition) {
        Broadcast<TokenizerDefinition> shared = JavaSparkContext.fromSparkContext(documents.context()).broadcast(definition);
        Prompts self = this;
        return documents.map(document -> document.problem() != null ? Prompt.unusable(document.id(), document.problem())
                : self.prompt(document, self.rendering(shared.value())));
    }

    private Prompt prompt(Document document, Rendering rendering) {
        Chat chat;
        if (document.isConversation()) {
            chat = before(document.chat());
            String problem = problem(chat.messages());
            if (problem != null) {
                return Prompt.unusable(document.id(), problem);
            }
        } else if (document.text().isBlank()) {
            return Prompt.unusable(document.id(), "it is blank");
        } else {
            chat = new Chat(messages(system, document.text()), null);
        }
        int[] tokens;
        try {
            tokens = rendering.tokens(chat, trusted);
        } catch (UnusableChatException e) {
            return Prompt.unusable(document.id(), e.getMessage());
        }
        Optional<String> beyond = rendering.tokenizer.beyondRows(tokens, rows);
        if (beyond.isPresent()) {
            return Prompt.unusable(document.id(), beyond.get());
        }
        return tokens.length >= longest
                ? Prompt.unusable(document.id(), "its " + tokens.length + " tokens leave no room for an answer in the teacher's " + longest)
                : new Prompt(document.id(), keys.prompt(tokens), chat.messages().stream().map(Prompt.Message::of).toList(),
                        Prompt.json(chat.tools()), tokens, null);
    }

    /** Returns a conversation without its last answer, and its messages without the members that are not kept. */
    private Chat before(Chat chat) {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Map<String, Object> message : chat.messages()) {
            Map<String, Object> members = new LinkedHashMap<>();
            Prompt.Message.MEMBERS.stream().filter(name -> message.get(name) != null).forEach(name -> members.put(name, message.get(name)));
            messages.add(members);
        }
        if (!messages.isEmpty() && ASSISTANT.equals(messages.get(messages.size() - 1).get("role"))) {
            messages.remove(messages.size() - 1);
        }
        if (!system.isEmpty() && messages.stream().noneMatch(message -> "system".equals(message.get("role")))) {
            messages.add(0, message("system", system));
        }
        return new Chat(messages, chat.tools());
    }

    /** Returns why the teacher cannot continue a conversation; null if it can. */
    private static String problem(List<Map<String, Object>> messages) {
        if (messages.isEmpty() || !ASKING.contains(String.valueOf(messages.get(messages.size() - 1).get("role")))) {
            return "no message of a user or a tool comes before its end or its last answer";
        }
        for (Map<String, Object> message : messages) {
            boolean said = message.containsKey("content") || message.get("tool_calls") instanceof List && ASSISTANT.equals(message.get("role"));
            boolean texts = message.entrySet().stream().allMatch(member -> member.getValue() instanceof String || member.getKey().equals("tool_calls"));
            if (!said || !texts) {
                return "it has messages that are not text, which write does not support";
            }
        }
        return null;
    }
}
