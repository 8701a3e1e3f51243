// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.Timestamp;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.function.Supplier;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Row;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.errors.TableErrors;

/** An iterator over the documents of rows with a text, in bytes, and possibly an id. */
final class RowDocuments implements Iterator<Document> {
    /** Bytes of a hash that serve as id. */
    private static final int ID_BYTES = 16;

    private final Iterator<Row> rows;
    private final Reading reading;
    private final String corpus;
    private final String setting;
    private final ReadCounts counts;

    /**
     * @param corpus  name of the corpus
     * @param setting that says where it is
     */
    RowDocuments(Iterator<Row> rows, Reading reading, String corpus, String setting, ReadCounts counts) {
        this.rows = rows;
        this.reading = reading;
        this.corpus = corpus;
        this.setting = setting;
        this.counts = counts;
    }

    @Override
    public boolean hasNext() {
        return read(rows::hasNext);
    }

    @Override
    public Document next() {
        Row row = read(rows::next);
        boolean hasId = row.length() > 1 && !row.isNullAt(1);
        byte[] text = row.isNullAt(0) ? null : (byte[]) row.get(0);
        String id = hasId ? id(row.get(1)) : text == null ? corpus : id(text);
        Document document = text == null ? Document.unusable(id, "the text is null")
                : text.length > reading.maxBytes() ? Document.tooLong(id, text.length, reading.maxBytes()) : Utf8.document(id, text, 0, text.length);
        counts.add(document, hasId, reading);
        return document;
    }

    private <T> T read(Supplier<T> step) {
        try {
            return step.get();
        } catch (TaskKilledException e) {
            throw e;
        } catch (Exception e) {
            // Spark throws checked exceptions that it does not declare; its scheduler heeds those of its shuffle.
            throw e instanceof RuntimeException || e instanceof SparkException ? TableErrors.unreadable(corpus, setting, e)
                    : ExceptionUtils.<RuntimeException>rethrow(e);
        }
    }

    /** Makes an id of the content, since rows have no place of their own. */
    private static String id(byte[] text) {
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
