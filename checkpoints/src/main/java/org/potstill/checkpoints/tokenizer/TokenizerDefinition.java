// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.Sha256;

/**
 * The definition of a {@link Tokenizer} and a {@link ChatTemplate}; small enough to send to executors.
 *
 * @param json         content of a {@code tokenizer.json}
 * @param bosId        token that begins a document, or −1
 * @param eosId        token that ends a document, or −1
 * @param begin        tokens added before a document: usually {@code bosId} alone, or none
 * @param end          tokens added after a document: usually none
 * @param chatTemplate Jinja template of conversations; empty if the model has none
 * @param stopIds      tokens that end the model's output, a document or its turn in a conversation, ascending; always
 *                     includes {@code eosId}
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

    /** Makes a definition with nothing after a document, and at most {@code bosId} before it. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos, String chatTemplate, List<Integer> stopIds) {
        this(json, bosId, eosId, addBos && bosId >= 0 ? List.of(bosId) : List.of(), List.of(), chatTemplate, stopIds);
    }

    /** Makes the same for a model that stops at {@code eosId} alone. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos, String chatTemplate) {
        this(json, bosId, eosId, addBos, chatTemplate, List.of());
    }

    /** Makes the same for a model without a template. */
    public TokenizerDefinition(String json, int bosId, int eosId, boolean addBos) {
        this(json, bosId, eosId, addBos, "");
    }

    /** Returns whether documents begin with added tokens. */
    public boolean addBos() {
        return !begin.isEmpty();
    }

    /**
     * Returns the tokens of a whole document: {@link #begin}, the text's tokens, {@link #end}. Nothing is added twice if
     * the text already spells it out.
     */
    public int[] document(int[] text) {
        int[] begun = beginning(text);
        return endsWith(begun, end) ? begun : concatenate(begun, end);
    }

    /** Returns the tokens of a prompt: {@link #begin}, unless the text already begins with it, and the text's tokens. */
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

    /** Returns the same tokenizer with other tokens before a document. */
    public TokenizerDefinition withBegin(List<Integer> other) {
        return new TokenizerDefinition(json, bosId, eosId, other, end, chatTemplate, stopIds);
    }

    /** Returns the same tokenizer with other tokens after a document. */
    public TokenizerDefinition withEnd(List<Integer> other) {
        return new TokenizerDefinition(json, bosId, eosId, begin, other, chatTemplate, stopIds);
    }

    TokenizerDefinition withJson(String other) {
        return new TokenizerDefinition(other, bosId, eosId, begin, end, chatTemplate, stopIds);
    }

    /** Returns the content of a {@code tokenizer_config.json} that expresses this definition together with {@link #json}. */
    public String configJson() {
        return HuggingFaceTokenizer.config(this);
    }

    /** Returns {@link #json} for libraries that add {@link #begin} and {@link #end} only if the file says so. */
    public String huggingFaceJson() {
        return HuggingFaceTokenizer.withTemplate(this);
    }

    /**
     * Describes a token that has a different id in the other vocabulary; empty if there is none. Files of one model may
     * be formatted differently, and may omit tokens.
     */
    public Optional<String> differenceFrom(TokenizerDefinition other) {
        Map<String, Long> theirs = HuggingFaceTokenizer.ids(other);
        return HuggingFaceTokenizer.ids(this).entrySet().stream()
                .filter(token -> !token.getValue().equals(theirs.getOrDefault(token.getKey(), token.getValue())))
                .map(token -> "\"" + token.getKey() + "\" is " + token.getValue() + " here and " + theirs.get(token.getKey()) + " there")
                .findFirst();
    }

    /** Returns the largest id plus one: rows of a model's tables beyond it stand for no token. */
    public int idCount() {
        return (int) (1 + HuggingFaceTokenizer.ids(this).values().stream().mapToLong(Long::longValue).max().orElse(-1));
    }

    /**
     * Describes a token that text or a conversation can produce with an id in {@code [from, to)}; empty if there is none.
     * Padding entries of a vocabulary do not count.
     */
    public Optional<String> tokenBetween(int from, int to) {
        return VocabularyPadding.tokenBetween(this, from, to);
    }

    /**
     * Returns the same tokenizer for a model with {@code rows} rows: without padding entries beyond them. Returns this
     * definition itself if there are none.
     */
    public TokenizerDefinition below(int rows) {
        return VocabularyPadding.below(this, rows);
    }

    /** Returns the SHA-256, in hex, of everything that decides how documents are tokenized. */
    public String fingerprint() {
        // Usual definitions keep the format from before there were lists, as existing labels are found by it.
        boolean usual = end.isEmpty() && (begin.isEmpty() || begin.equals(List.of(bosId)));
        return Sha256.of(bosId + " " + eosId + " " + addBos() + (usual ? "" : " " + begin + " " + end) + "\n" + json);
    }
}
