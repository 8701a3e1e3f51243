package org.potstill.checkpoints;

/**
 * Everything needed to make a {@link Tokenizer}; small enough to send to executors.
 *
 * @param json   the content of a {@code tokenizer.json}
 * @param bosId  token that begins a document, or −1
 * @param eosId  token that ends a document, or −1
 * @param addBos whether the model expects {@code bosId} before each document
 */
public record TokenizerDefinition(String json, int bosId, int eosId, boolean addBos) implements java.io.Serializable {
    /** The content of a {@code tokenizer_config.json} that says beside {@link #json} what this definition says. */
    public String configJson() {
        return HuggingFaceTokenizer.config(this);
    }

    /** SHA-256 over all of the definition, in hex. */
    public String fingerprint() {
        return Sha256.of(bosId + " " + eosId + " " + addBos + "\n" + json);
    }
}
