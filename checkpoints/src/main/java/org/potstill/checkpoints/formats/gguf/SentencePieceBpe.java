// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.potstill.checkpoints.tokenizer.TokenizerJson;

/**
 * SentencePiece's BPE (Kudo and Richardson 2018, arXiv 1808.06226), the tokenizer of Llama 2, Mistral and Gemma, as parts of a
 * {@code tokenizer.json}. It joins the adjacent pair whose union has the highest score, the leftmost first, and spells characters
 * that it does not know in bytes. The library's BPE does the same with a list of merges, which is made from the scores as
 * transformers makes it: each split of a piece into two, best pieces first.
 */
final class SentencePieceBpe {
    private static final String SPACE = "\u2581";
    /** Longer pieces are not split: no vocabulary has any, and the work grows with the square of their length. */
    private static final int MAX_PIECE = 256;

    private final String[] tokens;
    private final double[] scores;
    private final long[] types;
    private final boolean spacePrefix;
    private final Map<String, Object> ids = new LinkedHashMap<>();

    /**
     * @param types       of the tokens in GGUF
     * @param spacePrefix whether a space is added before a text
     */
    SentencePieceBpe(String[] tokens, double[] scores, long[] types, boolean spacePrefix) {
        this.tokens = tokens;
        this.scores = scores;
        this.types = types;
        this.spacePrefix = spacePrefix;
        for (int id = 0; id < tokens.length; id++) {
            ids.put(tokens[id], (long) id);
        }
    }

    boolean hasAllBytes() {
        for (int b = 0; b < 256; b++) {
            if (!(ids.get(String.format(Locale.ROOT, "<0x%02X>", b)) instanceof Long id) || types[id.intValue()] != GgufTokenizer.TYPE_BYTE) {
                return false;
            }
        }
        return true;
    }

    /** Spaces become a visible character before a text is split, which it is nowhere else. */
    Object normalizer() {
        Object replace = TokenizerJson.members("type", "Replace", "pattern", TokenizerJson.members("String", " "), "content", SPACE);
        return !spacePrefix ? replace : TokenizerJson.members("type", "Sequence", "normalizers",
                List.of(TokenizerJson.members("type", "Prepend", "prepend", SPACE), replace));
    }

    Object decoder() {
        List<Object> steps = new ArrayList<>(List.of(
                TokenizerJson.members("type", "Replace", "pattern", TokenizerJson.members("String", SPACE), "content", " "),
                TokenizerJson.members("type", "ByteFallback"), TokenizerJson.members("type", "Fuse")));
        if (spacePrefix) {
            steps.add(TokenizerJson.members("type", "Strip", "content", " ", "start", 1L, "stop", 0L));
        }
        return TokenizerJson.members("type", "Sequence", "decoders", steps);
    }

    /**
     * Returns added tokens such that those with spaces are found in a text. llama.cpp's converter writes them with plain spaces
     * and transformers with the visible ones, which only a text without a prefix has.
     */
    List<Object> inText(List<Map<String, Object>> added) {
        List<Object> found = new ArrayList<>();
        for (Map<String, Object> each : added) {
            Map<String, Object> token = new LinkedHashMap<>(each);
            String content = (String) token.get("content");
            String visible = content.replace(" ", SPACE);
            boolean own = visible.equals(content) || !ids.containsKey(visible);
            if (!spacePrefix && visible.contains(SPACE) && own) {
                if (!visible.equals(content)) {
                    ids.put(visible, ids.remove(content));
                }
                token.put("content", visible);
                token.put("normalized", true);
            }
            found.add(token);
        }
        return found;
    }

    Object model() {
        String unknown = null;
        for (int id = 0; id < tokens.length && unknown == null; id++) {
            unknown = types[id] == GgufTokenizer.TYPE_UNKNOWN ? tokens[id] : null;
        }
        return TokenizerJson.members("type", "BPE", "dropout", null, "unk_token", unknown, "continuing_subword_prefix", null,
                "end_of_word_suffix", null, "fuse_unk", true, "byte_fallback", true, "ignore_merges", false,
                "vocab", ids, "merges", merges());
    }

    /** A piece as the union of two others. */
    private record Merge(String left, String right, double score, int leftId, int rightId) {
    }

    private List<Object> merges() {
        List<Merge> merges = new ArrayList<>();
        for (int id = 0; id < tokens.length; id++) {
            if (isPiece(id) && tokens[id].length() <= MAX_PIECE) {
                List<Merge> ofPiece = new ArrayList<>();
                for (int at = 1; at < tokens[id].length(); at = tokens[id].offsetByCodePoints(at, 1)) {
                    String left = tokens[id].substring(0, at);
                    String right = tokens[id].substring(at);
                    if (ids.get(left) instanceof Long l && ids.get(right) instanceof Long r && isPiece(l.intValue()) && isPiece(r.intValue())) {
                        ofPiece.add(new Merge(left, right, scores[id], l.intValue(), r.intValue()));
                    }
                }
                ofPiece.sort(Comparator.comparingInt(Merge::leftId).thenComparingInt(Merge::rightId));
                merges.addAll(ofPiece);
            }
        }
        merges.sort(Comparator.comparingDouble(Merge::score).thenComparingInt(merge -> length(merge.left))
                .thenComparingInt(merge -> length(merge.right)).reversed());
        return new ArrayList<>(merges.stream().map(merge -> (Object) Arrays.<Object>asList(merge.left, merge.right)).toList());
    }

    private static int length(String piece) {
        return piece.codePointCount(0, piece.length());
    }

    private boolean isPiece(int id) {
        return types[id] == GgufTokenizer.TYPE_NORMAL;
    }
}
