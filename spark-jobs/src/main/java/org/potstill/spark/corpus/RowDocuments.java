// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.Timestamp;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Row;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.errors.TableErrors;

/** An iterator over the documents of rows with a text, in bytes, or the columns of a conversation, and possibly an id. */
final class RowDocuments implements Iterator<Document> {
    /** Bytes of a hash that serve as id. */
    private static final int ID_BYTES = 16;

    private final Iterator<Row> rows;
    private final Reading reading;
    private final Map<String, Boolean> conversation;
    private final String corpus;
    private final String setting;
    private final ReadCounts counts;
    private final long part;

    /**
     * @param conversation the rows' columns in their order, if they are not a text, and whether they are JSON
     * @param corpus       name of the corpus
     * @param setting      the one that says where it is
     * @param part         number of the {@link CorpusPart}; 0 for none
     */
    RowDocuments(Iterator<Row> rows, Reading reading, Map<String, Boolean> conversation, String corpus, String setting, ReadCounts counts, long part) {
        this.rows = rows;
        this.reading = reading;
        this.conversation = conversation;
        this.corpus = corpus;
        this.setting = setting;
        this.counts = counts;
        this.part = part;
    }

    @Override
    public boolean hasNext() {
        return read(rows::hasNext);
    }

    @Override
    public Document next() {
        Row row = read(rows::next);
        int last = row.length() - 1;
        String id = reading.idField().isEmpty() || row.isNullAt(last) ? null : id(row.get(last));
        Document document = conversation.isEmpty() ? text(id, row) : conversation(id, row);
        Document known = document.from(part, id != null, false);
        counts.add(known, reading);
        return known;
    }

    private Document text(String id, Row row) {
        if (row.isNullAt(0)) {
            return Document.unusable(id == null ? corpus : id, "the text is null");
        }
        byte[] text = (byte[]) row.get(0);
        String name = id == null ? hash(text) : id;
        return text.length > reading.maxBytes() ? Document.tooLong(name, text.length, reading.maxBytes()) : Utf8.document(name, text, 0, text.length);
    }

    private Document conversation(String id, Row row) {
        JsonTree tree = new JsonTree();
        Map<String, JsonNode> columns = new HashMap<>();
        StringBuilder all = new StringBuilder();
        conversation.forEach((name, isJson) -> {
            String value = row.isNullAt(columns.size()) ? null : row.getString(columns.size());
            all.append(value).append('\n');
            columns.put(name, value == null ? NullNode.getInstance() : isJson ? tree.parse(value) : TextNode.valueOf(value));
        });
        String name = id == null ? hash(all.toString().getBytes(StandardCharsets.UTF_8)) : id;
        Document document = reading.conversations().document(name, columns::get, tree, reading.maxBytes())
                .orElseGet(() -> Document.unusable(name, "the conversation is null"));
        // Whatever the order of the columns and fields.
        return id != null || document.text() == null ? document
                : new Document(hash(document.content().getBytes(StandardCharsets.UTF_8)), document.text(), true, null);
    }

    private <T> T read(Supplier<T> step) {
        try {
            return step.get();
        } catch (TaskKilledException e) {
            throw e;
        } catch (Exception e) {
            throw explained(e);
        }
    }

    /** Explains an exception. Spark throws checked ones that it does not declare; its scheduler heeds those of its shuffle. */
    private RuntimeException explained(Exception e) {
        return e instanceof RuntimeException || e instanceof SparkException ? TableErrors.unreadable(corpus, setting, e)
                : ExceptionUtils.<RuntimeException>rethrow(e);
    }

    /** Makes an id of the content, since rows have no place of their own. */
    private static String hash(byte[] text) {
        MessageDigest sha = Sha256.digest();
        return HexFormat.of().formatHex(sha.digest(text), 0, ID_BYTES);
    }

    /** Writes an id as for Parquet files. */
    private static String id(Object value) {
        return value instanceof BigDecimal decimal ? decimal.toPlainString()
                : value instanceof Timestamp time ? time.toInstant().toString()
                : value instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : value.toString();
    }
}
