// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import org.potstill.checkpoints.io.Json;
import org.potstill.jinja.JinjaTemplate;
import org.potstill.jinja.TemplateException;

/** What {@code bench/chat_templates.py} compares with transformers: each template with each conversation, one JSON object a line. */
final class TemplateDump {
    private static final LocalDateTime CLOCK = LocalDateTime.of(2024, 7, 6, 15, 4, 5);

    private TemplateDump() {
    }

    /** {@code OUTPUT CONVERSATIONS TEMPLATE...}; the conversations are an object that holds a list of that name. */
    public static void main(String[] arguments) throws IOException, Json.MalformedException {
        List<?> conversations = (List<?>) Json.object(Files.readString(Path.of(arguments[1]))).get("conversations");
        try (var lines = Files.newBufferedWriter(Path.of(arguments[0]))) {
            for (String template : List.of(arguments).subList(2, arguments.length)) {
                String source = Files.readString(Path.of(template));
                for (int i = 0; i < conversations.size(); i++) {
                    JsonWriter json = new JsonWriter(lines);
                    json.beginObject().name("template").value(template).name("conversation").value(i);
                    try {
                        json.name("text").value(new JinjaTemplate(source, () -> CLOCK).render(Json.asObject(conversations.get(i))).text());
                    } catch (TemplateException e) {
                        json.nullValue().name("error").value(e.getMessage());
                    }
                    json.endObject().flush();
                    lines.write("\n");
                }
            }
        }
    }
}
