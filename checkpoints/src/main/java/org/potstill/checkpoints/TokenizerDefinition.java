package org.potstill.checkpoints;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Everything needed to make a {@link Tokenizer} and a {@link ChatTemplate}; small enough to send to executors.
 *
 * @param json         the content of a {@code tokenizer.json}
 * @param bosId        token that begins a document, or −1
 * @param eosId        token that ends a document, or −1
 * @param addBos       whether the model expects {@code bosId} before each document
 * @param chatTemplate how conversations are written, in Jinja; empty where the model has no template
 * @param stopIds      tokens that end what the model writes, a document or its turn in a conversation, ascending;
 *                     {@code eosId} is always among them
 */
public record TokenizerDefinition(String json, int bosId, int eosId, boolean addBos, String chatTemplate, List<Integer> stopIds)
        implements java.io.Serializable {
    public TokenizerDefinition {
        TreeSet<Integer> ascending = new TreeSet<>(stopIds);
        if (eosId >= 0) {
            ascending.add(eosId);
        }
        stopIds = List.copyOf(ascending);
    }

    /** Of a model that stops at {@code eosId} alone. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos, String chatTemplate) {
        this(json, bosId, eosId, addBos, chatTemplate, List.of());
    }

    /** Of a model that has no template. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos) {
        this(json, bosId, eosId, addBos, "");
    }

    /** The content of a {@code tokenizer_config.json} that says beside {@link #json} what this definition says. */
    public String configJson() {
        return HuggingFaceTokenizer.config(this);
    }

    /** {@link #json} for libraries that add {@code bosId} only where the file says so. */
    public String huggingFaceJson() {
        return HuggingFaceTokenizer.withTemplate(this);
    }

    /**
     * A token that has another id in the other vocabulary, in words; nothing where there is none. Files of one model may
     * differ in how they are written, and in tokens that one of them leaves out.
     */
    public Optional<String> differenceFrom(TokenizerDefinition other) {
        Map<String, Long> theirs = HuggingFaceTokenizer.ids(other);
        return HuggingFaceTokenizer.ids(this).entrySet().stream()
                .filter(token -> !token.getValue().equals(theirs.getOrDefault(token.getKey(), token.getValue())))
                .map(token -> "\"" + token.getKey() + "\" is " + token.getValue() + " here and " + theirs.get(token.getKey()) + " there")
                .findFirst();
    }

    /** One more than the largest id: rows of a model's tables beyond it stand for no token. */
    public int idCount() {
        return (int) (1 + HuggingFaceTokenizer.ids(this).values().stream().mapToLong(Long::longValue).max().orElse(-1));
    }

    /**
     * A token that a text or a conversation can become with an id in {@code [from, to)}, in words; nothing where there is
     * none. Entries that only pad a vocabulary are no such tokens.
     */
    public Optional<String> tokenBetween(int from, int to) {
        return VocabularyPadding.tokenBetween(this, from, to);
    }

    /**
     * The same tokenizer for a model of {@code rows} rows: without the entries beyond them that only pad the vocabulary. This
     * definition itself where there are none.
     */
    public TokenizerDefinition below(int rows) {
        return VocabularyPadding.below(this, rows);
    }

    /** SHA-256, in hex, over all that decides how documents are tokenized. */
    public String fingerprint() {
        return Sha256.of(bosId + " " + eosId + " " + addBos + "\n" + json);
    }
}
