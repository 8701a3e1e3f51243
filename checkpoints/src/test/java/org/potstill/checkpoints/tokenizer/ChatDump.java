// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.io.Json;
import org.potstill.errors.UserException;

/** What {@code bench/chat_templates.py} compares with transformers: the tokens of conversations, by model, one JSON object a line. */
final class ChatDump {
    private static final LocalDate CLOCK = LocalDate.of(2024, 7, 6);

    private ChatDump() {
    }

    /**
     * {@code OUTPUT INPUT}: models (name and folder; or name, tokenizer: a file, template, bos, eos, stop) and conversations (messages,
     * tools).
     */
    public static void main(String[] arguments) throws IOException, Json.MalformedException {
        Map<String, Object> input = Json.object(Files.readString(Path.of(arguments[1])));
        List<Chat> chats = new ArrayList<>();
        for (Object each : (List<?>) input.get("conversations")) {
            chats.add(chat(Json.asObject(each)));
        }
        try (var lines = Files.newBufferedWriter(Path.of(arguments[0]))) {
            for (Object each : (List<?>) input.get("models")) {
                Map<String, Object> model = Json.asObject(each);
                TokenizerDefinition definition = definition(model);
                try (Tokenizer tokenizer = new Tokenizer(definition)) {
                    ChatEncoder encoder = encoder(definition, tokenizer);
                    for (int i = 0; i < chats.size(); i++) {
                        JsonWriter json = new JsonWriter(lines);
                        json.beginObject().name("model").value((String) model.get("name")).name("conversation").value(i);
                        write(json, encoder, chats.get(i));
                        json.endObject().flush();
                        lines.write("\n");
                    }
                }
            }
        }
    }

    private static TokenizerDefinition definition(Map<String, Object> model) throws IOException {
        if (model.get("folder") instanceof String folder) {
            return HuggingFaceTokenizer.read(Path.of(folder), "{}", Integer.MAX_VALUE);
        }
        List<Integer> stops = ((List<?>) model.get("stop")).stream().map(id -> ((Long) id).intValue()).toList();
        return new TokenizerDefinition(Files.readString(Path.of((String) model.get("tokenizer"))), ((Long) model.get("bos")).intValue(),
                ((Long) model.get("eos")).intValue(), false, (String) model.get("template"), stops);
    }

    @SuppressWarnings("unchecked")
    private static Chat chat(Map<String, Object> conversation) {
        return new Chat((List<Map<String, Object>>) conversation.get("messages"), (List<Object>) conversation.get("tools"));
    }

    /** Returns null for a template that cannot be used. */
    private static ChatEncoder encoder(TokenizerDefinition definition, Tokenizer tokenizer) {
        try {
            return new ChatEncoder(definition, tokenizer, CLOCK);
        } catch (UserException e) {
            return null;
        }
    }

    private static void write(JsonWriter json, ChatEncoder encoder, Chat chat) throws IOException {
        if (encoder == null) {
            json.name("error").value("the template cannot be used");
            return;
        }
        try {
            EncodedChat encoded = encoder.encode(chat, true);
            json.name("ids").beginArray();
            for (int id : encoded.ids()) {
                json.value(id);
            }
            json.endArray().name("parts").beginArray();
            for (byte part : encoded.parts()) {
                json.value(part);
            }
            json.endArray();
        } catch (UnusableChatException e) {
            json.name("error").value(e.getMessage());
        }
    }
}
