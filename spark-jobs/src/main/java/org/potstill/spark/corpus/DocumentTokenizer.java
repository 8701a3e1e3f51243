// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.Arrays;
import java.util.Optional;
import org.potstill.checkpoints.tokenizer.ChatEncoder;
import org.potstill.checkpoints.tokenizer.EncodedChat;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.checkpoints.tokenizer.UnusableChatException;
import org.potstill.errors.UserException;

/** An executor's tokenizer of documents: of texts, and of conversations by the model's chat template. Thread-safe. */
final class DocumentTokenizer implements AutoCloseable {
    private final Tokenization how;
    private final TokenizerDefinition definition;
    private final Tokenizer tokenizer;
    private ChatEncoder chats;

    DocumentTokenizer(Tokenization how, TokenizerDefinition definition) {
        this.how = how;
        this.definition = definition;
        this.tokenizer = new Tokenizer(definition);
    }

    /**
     * Tokenizes a document.
     *
     * @param rows rows of the model's embedding; a document with a token beyond them cannot be used
     */
    TokenizedDocument tokenize(Document document, int rows) {
        try {
            EncodedChat chat = document.isConversation() ? conversation(document.text()) : null;
            int[] ids = chat == null ? tokenizer.encode(document.text(), how.specialTokens()) : chat.ids();
            Optional<String> beyond = tokenizer.beyondRows(ids, rows);
            if (beyond.isPresent()) {
                return TokenizedDocument.unusable(document.id(), beyond.get());
            }
            return new TokenizedDocument(document.id(), null, how.heldOut(document.content()),
                    how.cut(chat != null || ids.length == 0 ? ids : definition.document(ids)), chat == null ? null : how.cut(chat.parts()));
        } catch (UnusableChatException e) {
            return TokenizedDocument.unusable(document.id(), e.getMessage());
        }
    }

    private EncodedChat conversation(String text) throws UnusableChatException {
        EncodedChat chat = encoder().encode(Conversation.chat(text), how.specialTokens());
        int end = how.ends() == Tokenization.Ends.ALWAYS ? definition.eosId() : -1;
        int length = chat.ids().length;
        if (end < 0 || length == 0 || chat.ids()[length - 1] == end) {
            return chat;
        }
        int[] ids = Arrays.copyOf(chat.ids(), length + 1);
        byte[] parts = Arrays.copyOf(chat.parts(), length + 1);
        ids[length] = end;
        // A response that goes on to the end has no end of its own.
        parts[length] = parts[length - 1];
        return new EncodedChat(ids, parts);
    }

    private synchronized ChatEncoder encoder() throws UnusableChatException {
        try {
            chats = chats == null ? new ChatEncoder(definition, tokenizer, how.today()) : chats;
            return chats;
        } catch (UserException e) {
            throw new UnusableChatException("it is a conversation, and " + e.problem() + ": " + e.cause());
        }
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
