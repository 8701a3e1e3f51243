// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
    private static final ExecutorCache<Rendering> RENDERINGS = new ExecutorCache<>();

    /** A teacher's template and tokenizer. */
    static final class Rendering implements AutoCloseable {
        private final Tokenizer tokenizer;
        private final ChatEncoder encoder;

        Rendering(TokenizerDefinition definition, LocalDate today) {
            tokenizer = new Tokenizer(definition);
            encoder = new ChatEncoder(definition, tokenizer, today);
        }

        int[] tokens(List<Prompt.Message> messages, boolean trusted) throws UnusableChatException {
            List<Map<String, Object>> members = new ArrayList<>();
            for (Prompt.Message message : messages) {
                Map<String, Object> each = new LinkedHashMap<>();
                each.put("role", message.role());
                each.put("content", message.content());
                members.add(each);
            }
            return encoder.prompt(new Chat(members, null), trusted);
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
            int[] one = rendering.tokens(messages(system, "0"), true);
            int[] other = rendering.tokens(messages(system, "x"), true);
            int shared = 0;
            while (shared < Math.min(one.length, other.length) && one[shared] == other[shared]) {
                shared++;
            }
            return shared;
        } catch (UnusableChatException e) {
            throw CheckpointErrors.badChatTemplate(e.getMessage());
        }
    }

    private static List<Prompt.Message> messages(String system, String text) {
        List<Prompt.Message> messages = new ArrayList<>();
        if (!system.isEmpty()) {
            messages.add(new Prompt.Message("system", system));
        }
        messages.add(new Prompt.Message("user", text));
        return messages;
    }

    JavaRDD<Prompt> apply(JavaRDD<Document> documents, TokenizerDefinition definition) {
        Broadcast<TokenizerDefinition> shared = JavaSparkContext.fromSparkContext(documents.context()).broadcast(definition);
        Prompts self = this;
        return documents.map(document -> document.problem() != null ? Prompt.unusable(document.id(), document.problem())
                : self.prompt(document, self.rendering(shared.value())));
    }

    private Prompt prompt(Document document, Rendering rendering) {
        List<Prompt.Message> messages;
        if (document.isConversation()) {
            Chat chat = document.chat();
            messages = before(chat);
            String problem = problem(messages, chat);
            if (problem != null) {
                return Prompt.unusable(document.id(), problem);
            }
        } else if (document.text().isBlank()) {
            return Prompt.unusable(document.id(), "it is blank");
        } else {
            messages = messages(system, document.text());
        }
        int[] tokens;
        try {
            tokens = rendering.tokens(messages, trusted);
        } catch (UnusableChatException e) {
            return Prompt.unusable(document.id(), e.getMessage());
        }
        Optional<String> beyond = rendering.tokenizer.beyondRows(tokens, rows);
        if (beyond.isPresent()) {
            return Prompt.unusable(document.id(), beyond.get());
        }
        return tokens.length >= longest
                ? Prompt.unusable(document.id(), "its " + tokens.length + " tokens leave no room for an answer in the teacher's " + longest)
                : new Prompt(document.id(), keys.prompt(tokens), messages, tokens, null);
    }

    /** Returns a conversation without its last answer; a message whose content is not text has none. */
    private List<Prompt.Message> before(Chat chat) {
        List<Prompt.Message> messages = new ArrayList<>();
        chat.messages().forEach(message -> messages.add(new Prompt.Message(String.valueOf(message.get("role")),
                message.get("content") instanceof String text && message.get("tool_calls") == null ? text : null)));
        if (!messages.isEmpty() && messages.get(messages.size() - 1).role().equals(ASSISTANT)) {
            messages.remove(messages.size() - 1);
        }
        if (!system.isEmpty() && messages.stream().noneMatch(message -> message.role().equals("system"))) {
            messages.add(0, new Prompt.Message("system", system));
        }
        return messages;
    }

    /** Returns why the teacher cannot continue a conversation; null if it can. */
    private static String problem(List<Prompt.Message> messages, Chat chat) {
        if (chat.tools() != null || messages.stream().anyMatch(message -> message.content() == null)) {
            return "it has tools, or messages that are not text, which write does not support";
        }
        if (messages.isEmpty() || !messages.get(messages.size() - 1).role().equals("user")) {
            return "no message of a user comes before its end or its last answer";
        }
        return null;
    }
}
