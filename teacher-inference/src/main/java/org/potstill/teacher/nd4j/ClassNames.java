// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Pattern;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * A check of the class names in Deeplearning4j's JSON. Jackson instantiates the classes that the JSON names, so an
 * untrusted file could name any on the class path.
 */
final class ClassNames {
    private static final Pattern OWN = Pattern.compile("org\\.(deeplearning4j|nd4j)(\\.\\w+)+(\\$\\w+)*");
    /** Third-party libraries, repackaged in ND4J. */
    private static final String SHADED = "org.nd4j.shade.";

    private ClassNames() {
    }

    /** Rejects JSON in which the value of a key containing "class" is not a class of Deeplearning4j or ND4J itself. */
    static void requireOwn(String text, Path file) {
        try (JsonReader json = new JsonReader(new StringReader(text))) {
            String key = "";
            while (json.peek() != JsonToken.END_DOCUMENT) {
                switch (json.peek()) {
                    case BEGIN_OBJECT -> json.beginObject();
                    case END_OBJECT -> json.endObject();
                    case BEGIN_ARRAY -> json.beginArray();
                    case END_ARRAY -> json.endArray();
                    case NAME -> key = json.nextName();
                    case STRING -> require(key, json.nextString(), file);
                    default -> json.skipValue();
                }
            }
        } catch (IOException | IllegalStateException e) {
            throw TeacherErrors.badModelFile(file, "its configuration is not sound JSON: " + e.getMessage());
        }
    }

    private static void require(String key, String value, Path file) {
        if (key.toLowerCase(Locale.ROOT).contains("class")
                && (!OWN.matcher(value).matches() || value.startsWith(SHADED))) {
            throw TeacherErrors.forbiddenClass(file, value);
        }
    }
}
