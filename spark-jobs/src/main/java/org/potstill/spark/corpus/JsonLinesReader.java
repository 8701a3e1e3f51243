// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.io.JsonEOFException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.io.FileSignature;

/** A reader of JSON lines, which may hold several objects each; an error affects only its line. */
final class JsonLinesReader implements DocumentReader {
    private static final byte[] NEWLINE = {'\n'};
    /** Without limits on the length of strings and numbers, which may be in fields that are skipped. */
    private static final JsonFactory JSON = JsonFactory.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES).disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .streamReadConstraints(constraints(Integer.MAX_VALUE)).build();

    private final Piece piece;
    private final Reading reading;
    private final TextStream stream;
    private final DelimitedRecords lines;
    private final Deque<Document> ready = new ArrayDeque<>();

    private JsonLinesReader(Piece piece, Reading reading, TextStream stream, DelimitedRecords lines) {
        this.piece = piece;
        this.reading = reading;
        this.stream = stream;
        this.lines = lines;
    }

    static StreamReadConstraints constraints(int maxText) {
        return StreamReadConstraints.builder().maxStringLength(maxText).maxNumberLength(Integer.MAX_VALUE).maxNestingDepth(100_000).build();
    }

    static DocumentReader open(Piece piece, Reading reading, Configuration hadoop) throws IOException {
        TextStream stream = TextStream.open(piece.file(), hadoop);
        if (stream.isWebPage()) {
            stream.close();
            throw new Unreadable("it is " + FileSignature.WEB_PAGE.named());
        }
        boolean lines = areLines(stream.head());
        if (piece.isFirst()) {
            return lines ? new JsonLinesReader(piece, reading, stream, new DelimitedRecords(stream.in(), stream.mark(), NEWLINE, reading.maxBytes()))
                    : new JsonValuesReader(piece, reading, stream);
        } else if (!lines || !stream.isPlain()) {
            stream.close();
            return DocumentReader.empty();
        }
        return new JsonLinesReader(piece, reading, stream, TextFileReader.fromWithin(piece, stream, NEWLINE, reading.maxBytes()));
    }

    /** Whether a file, by its first bytes, has values that end with lines, unlike an array or objects over several lines. */
    static boolean areLines(byte[] head) {
        int begin = skipSpace(head, 0);
        if (begin == head.length || head[begin] != '{') {
            return begin == head.length || head[begin] != '[';
        }
        int end = begin;
        while (end < head.length && head[end] != '\n') {
            end++;
        }
        int second = skipSpace(head, end);
        // An incomplete first line may just be a bad one: then the next line starts another object.
        return second == head.length || head[second] == '{' || !isCutOff(head, begin, end - begin);
    }

    private static int skipSpace(byte[] bytes, int from) {
        int at = from;
        while (at < bytes.length && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' || bytes[at] == '\r')) {
            at++;
        }
        return at;
    }

    private static boolean isCutOff(byte[] bytes, int begin, int length) {
        try (JsonParser parser = JSON.createParser(bytes, begin, length)) {
            while (parser.nextToken() != null) {
                parser.skipChildren();
            }
            return false;
        } catch (JsonProcessingException e) {
            return e instanceof JsonEOFException || e.getLocation() != null && e.getLocation().getByteOffset() >= length;
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public Document next() throws IOException {
        while (ready.isEmpty() && (!stream.isPlain() || lines.place() < piece.to()) && lines.next()) {
            readLine();
        }
        return ready.poll();
    }

    private void readLine() throws IOException {
        String place = place(lines.begin());
        if (lines.isTooLong()) {
            ready.add(Document.tooLong(place, lines.length(), reading.maxBytes()));
            return;
        }
        String problem = Utf8.problem(lines.bytes(), 0, (int) lines.length());
        if (problem != null) {
            ready.add(Document.unusable(place, problem));
            return;
        }
        try (JsonParser parser = JSON.createParser(lines.bytes(), 0, (int) lines.length())) {
            JsonToken token = parser.nextToken();
            while (token != null) {
                if (token == JsonToken.START_OBJECT) {
                    ready.add(JsonRecord.read(parser, place, reading));
                } else {
                    parser.skipChildren();
                    ready.add(Document.unusable(place, "not a JSON object but " + JsonRecord.kind(token)));
                }
                // If the next value is invalid, its id is where it should begin.
                place = place(lines.begin() + parser.currentLocation().getByteOffset());
                token = parser.nextToken();
                place = place(lines.begin() + parser.currentTokenLocation().getByteOffset());
            }
        } catch (JsonProcessingException e) {
            ready.add(Document.unusable(place, problem(e)));
        }
    }

    private String place(long at) {
        String path = piece.file().path();
        return PartitionFolder.value(path, reading.idField()).orElse(path + ":" + (at <= stream.mark() ? 0 : at));
    }

    /** Describes a JSON error without the programmers' advice in some messages. */
    static String problem(JsonProcessingException e) {
        String said = String.valueOf(e.getOriginalMessage()).lines().findFirst().orElse("");
        int advice = said.indexOf(": enable ");
        return "not JSON: " + (said.contains("code 27)") ? "an escape character; " + Document.ESCAPED
                : advice < 0 ? said : said.substring(0, advice));
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }
}
