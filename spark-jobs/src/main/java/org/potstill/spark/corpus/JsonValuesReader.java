// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** A streaming reader of JSON that is not line by line: an array, or objects over several lines. */
final class JsonValuesReader implements DocumentReader {
    private final Piece piece;
    private final Reading reading;
    private final TextStream stream;
    private final JsonParser parser;
    private boolean inArray;

    JsonValuesReader(Piece piece, Reading reading, TextStream stream) throws IOException {
        this.piece = piece;
        this.reading = reading;
        this.stream = stream;
        // A table of field names would grow without bound if a file uses ids as names.
        this.parser = JsonFactory.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES).disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .streamReadConstraints(JsonLinesReader.constraints(reading.maxBytes())).build()
                .createParser(new InputStreamReader(stream.in(), Encoding.strict(StandardCharsets.UTF_8)));
    }

    @Override
    public Document next() throws IOException {
        try {
            return read();
        } catch (JsonProcessingException e) {
            stream.requireUndamaged();
            boolean tooLong = e.getClass().getSimpleName().equals("StreamConstraintsException");
            throw new Unreadable((tooLong ? "a text is longer than corpus.max-document-mib allows" : JsonLinesReader.problem(e)) + after(), e);
        } catch (CharacterCodingException e) {
            stream.requireUndamaged();
            throw new Unreadable("not UTF-8" + after(), e);
        }
    }

    private String after() {
        return "; the file is not read beyond character " + Math.max(0, parser.currentTokenLocation().getCharOffset());
    }

    private Document read() throws IOException {
        while (true) {
            JsonToken token = parser.nextToken();
            if (token == null) {
                return null;
            } else if (token == JsonToken.END_ARRAY || token == JsonToken.START_ARRAY && !inArray) {
                inArray = token == JsonToken.START_ARRAY;
                continue;
            }
            String path = piece.file().path();
            String place = PartitionFolder.value(path, reading.idField())
                    .orElse(path + ":" + parser.currentTokenLocation().getCharOffset());
            if (token == JsonToken.START_OBJECT) {
                return JsonRecord.read(parser, place, reading);
            }
            parser.skipChildren();
            return Document.unusable(place, "not a JSON object but " + JsonRecord.kind(token));
        }
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }
}
