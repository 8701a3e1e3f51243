package org.potstill.checkpoints;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Everything needed to make a {@link Tokenizer} and a {@link ChatTemplate}; small enough to send to executors.
 *
 * @param json         the content of a {@code tokenizer.json}
 * @param bosId        token that begins a document, or −1
 * @param eosId        token that ends a document, or −1
 * @param begin        tokens that the tokenizer puts before a document: {@code bosId} alone, as a rule, or none
 * @param end          tokens that it puts after a document: none, as a rule
 * @param chatTemplate how conversations are written, in Jinja; empty where the model has no template
 * @param stopIds      tokens that end what the model writes, a document or its turn in a conversation, ascending;
 *                     {@code eosId} is always among them
 */
public record TokenizerDefinition(String json, int bosId, int eosId, List<Integer> begin, List<Integer> end, String chatTemplate,
        List<Integer> stopIds) implements java.io.Serializable {
    public TokenizerDefinition {
        begin = List.copyOf(begin);
        end = List.copyOf(end);
        TreeSet<Integer> ascending = new TreeSet<>(stopIds);
        if (eosId >= 0) {
            ascending.add(eosId);
        }
        stopIds = List.copyOf(ascending);
    }

    /** The definition of a tokenizer that puts nothing after a document, and before it at most {@code bosId}. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos, String chatTemplate, List<Integer> stopIds) {
        this(json, bosId, eosId, addBos && bosId >= 0 ? List.of(bosId) : List.of(), List.of(), chatTemplate, stopIds);
    }

    /** The same of a model that stops at {@code eosId} alone. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos, String chatTemplate) {
        this(json, bosId, eosId, addBos, chatTemplate, List.of());
    }

    /** The same of a model that has no template. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos) {
        this(json, bosId, eosId, addBos, "");
    }

    /** Whether documents begin with a token of their own. */
    public boolean addBos() {
        return !begin.isEmpty();
    }

    /** The tokens of a whole document: {@link #begin}, those of its text, {@link #end}; each once, be it that the text spells it out. */
    public int[] document(int[] text) {
        int[] begun = beginning(text);
        return endsWith(begun, end) ? begun : concatenate(begun, end);
    }

    /** The tokens of a text that a model is to go on from: {@link #begin}, unless the text spells it out, and those of the text. */
    public int[] beginning(int[] text) {
        return startsWith(text, begin) ? text : concatenate(begin, text);
    }

    private static boolean startsWith(int[] ids, List<Integer> begin) {
        return ids.length >= begin.size() && IntStream.range(0, begin.size()).allMatch(i -> ids[i] == begin.get(i));
    }

    private static boolean endsWith(int[] ids, List<Integer> end) {
        int from = ids.length - end.size();
        return from >= 0 && IntStream.range(0, end.size()).allMatch(i -> ids[from + i] == end.get(i));
    }

    private static int[] concatenate(List<Integer> first, int[] second) {
        return IntStream.concat(first.stream().mapToInt(Integer::intValue), IntStream.of(second)).toArray();
    }

    private static int[] concatenate(int[] first, List<Integer> second) {
        return IntStream.concat(IntStream.of(first), second.stream().mapToInt(Integer::intValue)).toArray();
    }

    /** The same tokenizer with other tokens before a document. */
    public TokenizerDefinition withBegin(List<Integer> other) {
        return new TokenizerDefinition(json, bosId, eosId, other, end, chatTemplate, stopIds);
    }

    /** The same tokenizer with other tokens after a document. */
    public TokenizerDefinition withEnd(List<Integer> other) {
        return new TokenizerDefinition(json, bosId, eosId, begin, other, chatTemplate, stopIds);
    }

    TokenizerDefinition withJson(String other) {
        return new TokenizerDefinition(other, bosId, eosId, begin, end, chatTemplate, stopIds);
    }

    /** The content of a {@code tokenizer_config.json} that says beside {@link #json} what this definition says. */
    public String configJson() {
        return HuggingFaceTokenizer.config(this);
    }

    /** {@link #json} for libraries that add {@link #begin} and {@link #end} only where the file says so. */
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
        // Of what most tokenizers have it is what it was before there were lists: labels are found by it.
        boolean usual = end.isEmpty() && (begin.isEmpty() || begin.equals(List.of(bosId)));
        return Sha256.of(bosId + " " + eosId + " " + addBos() + (usual ? "" : " " + begin + " " + end) + "\n" + json);
    }
}
