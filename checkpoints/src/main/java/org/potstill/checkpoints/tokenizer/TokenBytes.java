// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;

/**
 * The text of each token on its own, in UTF-8. Concatenated over a document's tokens, it is the document as normalised by
 * its tokenizer, which tells which token covers which part of a text; a token may cover part of a character.
 */
public final class TokenBytes {
    private static final byte[] NONE = new byte[0];
    private static final String WORD_BEGIN = "\u2581";

    private final Map<Integer, byte[]> bytes;

    private TokenBytes(Map<Integer, byte[]> bytes) {
        this.bytes = bytes;
    }

    /**
     * Makes the texts of a vocabulary.
     *
     * @throws org.potstill.errors.UserException if the definition is damaged
     */
    public static TokenBytes of(TokenizerDefinition definition) {
        try {
            Map<String, Object> json = Json.object(definition.json());
            Decoder decoder = Decoder.of(json.get("decoder"));
            Map<Integer, byte[]> found = new HashMap<>();
            HuggingFaceTokenizer.ids(definition).forEach((piece, id) -> found.put(id.intValue(), decoder.decode(piece)));
            for (Map<String, Object> added : TokenizerJson.addedTokens(json)) {
                if (added.get("id") instanceof Long id && id >= 0 && id <= Integer.MAX_VALUE) {
                    found.put(id.intValue(), String.valueOf(added.get("content")).getBytes(StandardCharsets.UTF_8));
                }
            }
            return new TokenBytes(found);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    /** Returns the text of a token; empty for an id without a token. Not a copy: read only. */
    public byte[] bytes(int id) {
        return bytes.getOrDefault(id, NONE);
    }

    /** Returns the text of several tokens. */
    public byte[] bytes(int[] ids) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int id : ids) {
            text.writeBytes(bytes(id));
        }
        return text.toByteArray();
    }

    /** The decoder of a {@code tokenizer.json}, for single pieces. */
    private record Decoder(boolean byteLevel, boolean byteFallback, Map<String, String> replaced) {
        private static final int[] BYTES = bytesOfAlphabet();

        static Decoder of(Object json) {
            return of(json, new Decoder(false, false, Map.of()));
        }

        private static Decoder of(Object json, Decoder before) {
            if (!(json instanceof Map<?, ?> step)) {
                return before;
            }
            Decoder decoder = before;
            switch (String.valueOf(step.get("type"))) {
                case "Sequence" -> {
                    if (step.get("decoders") instanceof List<?> steps) {
                        for (Object each : steps) {
                            decoder = of(each, decoder);
                        }
                    }
                }
                case "ByteLevel" -> decoder = new Decoder(true, before.byteFallback, before.replaced);
                case "ByteFallback" -> decoder = new Decoder(before.byteLevel, true, before.replaced);
                case "Metaspace" -> decoder = before.replacing(step.get("replacement") instanceof String begin ? begin : WORD_BEGIN, " ");
                case "Replace" -> {
                    if (step.get("pattern") instanceof Map<?, ?> pattern && pattern.get("String") instanceof String old && !old.isEmpty()) {
                        decoder = before.replacing(old, String.valueOf(step.get("content")));
                    }
                }
                default -> { }
            }
            return decoder;
        }

        private Decoder replacing(String old, String by) {
            Map<String, String> all = new HashMap<>(replaced);
            all.put(old, by);
            return new Decoder(byteLevel, byteFallback, all);
        }

        byte[] decode(String piece) {
            if (byteLevel) {
                return ofAlphabet(piece);
            }
            if (byteFallback && piece.length() == 6 && piece.matches("<0x[0-9A-Fa-f]{2}>")) {
                return new byte[] {(byte) Integer.parseInt(piece.substring(3, 5), 16)};
            }
            String text = piece;
            for (Map.Entry<String, String> each : replaced.entrySet()) {
                text = text.replace(each.getKey(), each.getValue());
            }
            return text.getBytes(StandardCharsets.UTF_8);
        }

        /** Maps a piece to bytes; a piece with a character outside the alphabet is taken literally, as in the library. */
        private static byte[] ofAlphabet(String piece) {
            byte[] bytes = new byte[piece.length()];
            OptionalInt foreign = piece.chars().filter(c -> c >= BYTES.length || BYTES[c] < 0).findAny();
            if (foreign.isPresent()) {
                return piece.getBytes(StandardCharsets.UTF_8);
            }
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) BYTES[piece.charAt(i)];
            }
            return bytes;
        }

        /** Makes GPT-2's alphabet: printable bytes stand for themselves, the others are moved above 255, in order. */
        private static int[] bytesOfAlphabet() {
            int[] bytes = new int[512];
            Arrays.fill(bytes, -1);
            int moved = 256;
            for (int b = 0; b < 256; b++) {
                boolean printable = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
                bytes[printable ? b : moved++] = b;
            }
            return bytes;
        }
    }
}
