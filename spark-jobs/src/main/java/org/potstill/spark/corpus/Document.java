// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.util.Locale;
import org.potstill.checkpoints.io.FileSignature;
import org.potstill.checkpoints.tokenizer.Chat;

/**
 * A document of the corpus, or the reason why it cannot be used.
 *
 * @param id             origin: a path, a path with a position, or the user's own id
 * @param text           its text, or that of a {@link Conversation}; null if it cannot be used
 * @param isConversation whether the text is that of a conversation
 * @param problem        why it cannot be used; null if it can
 * @param origin         where it comes from
 */
public record Document(String id, String text, boolean isConversation, String problem, Origin origin) implements Serializable {
    static final String ESCAPED = "if it is in ISO-2022-JP or another encoding with escape sequences, convert it (iconv -f ISO-2022-JP -t UTF-8)";
    private static final char MARK = '\uFEFF';
    /** Begins characters of more than one byte (ISO/IEC 2022); a terminal's sequences begin otherwise. */
    private static final String ESCAPE = "\u001b$";

    Document(String id, String text, boolean isConversation, String problem) {
        this(id, text, isConversation, problem, Origin.UNKNOWN);
    }

    static Document of(String id, String text) {
        if (text.indexOf('\0') >= 0) {
            return unusable(id, "it holds NUL characters, which are not text");
        }
        int escape = text.indexOf(ESCAPE);
        if (escape >= 0 && escape + 2 < text.length() && "@AB()*+".indexOf(text.charAt(escape + 2)) >= 0) {
            return unusable(id, "it holds escape sequences that switch between character sets; " + ESCAPED);
        }
        int half = halfPair(text);
        if (half >= 0) {
            return unusable(id, String.format(Locale.ROOT, "it holds half of a surrogate pair, 0x%04X at character %d, which is not text",
                    (int) text.charAt(half), half));
        }
        return new Document(id, !text.isEmpty() && text.charAt(0) == MARK ? text.substring(1) : text, false, null);
    }

    /** Finds a surrogate without the other one, which JSON can spell out and UTF-8 cannot; -1 if there is none. */
    private static int halfPair(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                if (i + 1 == text.length() || !Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1))) {
                    return i;
                }
                i++;
            }
        }
        return -1;
    }

    /** Returns it with where it comes from. */
    Document from(long part, boolean hasId, boolean isFile) {
        return new Document(id, text, isConversation, problem, new Origin(part, hasId, text != null && FileSignature.isMarkup(text), isFile));
    }

    /** Returns what decides whether it is held out: all that was said, and nothing of how its source orders it. */
    String content() {
        return isConversation ? Conversation.sorted(text) : text;
    }

    /** Returns its conversation. */
    public Chat chat() {
        return Conversation.chat(text);
    }

    static Document unusable(String id, String problem) {
        return new Document(id, null, false, problem);
    }

    static Document tooLong(String id, long bytes, int maxBytes) {
        return unusable(id, bytes + " bytes are more than corpus.max-document-mib allows (" + maxBytes + ")");
    }
}
