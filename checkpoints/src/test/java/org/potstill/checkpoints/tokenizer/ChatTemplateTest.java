// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.huggingface.WholeSafetensors;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.jinja.JinjaTemplate;
import org.potstill.jinja.TemplateException;

/** Against what transformers made of the same: {@code bench/fixtures/make_chat_templates.py}. */
class ChatTemplateTest {
    private static String render(String template, Map<String, Object> values) throws TemplateException {
        return new JinjaTemplate(template, () -> LocalDateTime.of(2024, 7, 6, 15, 4, 5)).render(values).text();
    }

    static Stream<Arguments> cases() throws Json.MalformedException {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("chat.json"), StandardCharsets.UTF_8));
        Map<String, Object> templates = Json.asObject(fixture.get("templates"));
        List<?> values = (List<?>) fixture.get("values");
        return ((List<?>) fixture.get("cases")).stream().map(each -> {
            Map<?, ?> one = (Map<?, ?>) each;
            String template = (String) one.get("template");
            return Arguments.of(template, templates.getOrDefault(template, template),
                    values.get(((Long) one.get("values")).intValue()), one.get("text"));
        });
    }

    @ParameterizedTest(name = "{0} {index}")
    @MethodSource("cases")
    void textsAndErrorsAreThoseOfTransformers(String name, String template, Map<String, Object> values, String expected)
            throws TemplateException {
        if (expected == null) {
            assertThrows(TemplateException.class, () -> render(template, values));
        } else {
            assertEquals(expected, render(template, values));
        }
    }

    @Test
    void timesAreWrittenAsPythonDoes() throws TemplateException {
        assertEquals("06 Jul 2024, Saturday, 15:04:05 03 PM it's", render("{{ strftime_now(\"%d %b %Y, %A, %H:%M:%S %I %p it's\") }}", Map.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "{% for a in range(60000) %}{% for b in range(60000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}",
        "{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ {ns.l: 1} }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ [ns.l, ns.l] | unique }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 'x' * 1000000000000 }}", "{{ '' * 9223372036854775807 }}", "{{ range(1000000000) }}", "{{ 'xy' | replace('x', 'z' * 5000000) }}",
        "{% for i in range(60000) %}{{ 'x' * 1000 }}{% endfor %}", "{% for c in 'x' * 4000000 %}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(60000) %}{% set ns.l = ns.l + [('x' * 4000000).upper()] %}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(60000) %}{% set ns.l = ns.l + [range(60000)] %}{% endfor %}",
        "{% for i in range(60000) %}{% for j in range(30) %}{{ ('x' * 4000000)[i] | replace('x', '') }}{% endfor %}{% endfor %}",
        "{{ 'a'.getClass() }}", "{{ 'a'.class }}{{ ''.class.name }}", "{{ self.x }}", "{{ messages.__class__.__mro__ }}",
        "{% include 'file:///etc/passwd' %}", "{% import 'x' as y %}", "{{ l.append(1) }}"})
    void templatesThatTakeTooMuchOrReachOutAreStopped(String template) {
        assertTimeoutPreemptively(Duration.ofSeconds(20), () ->
                assertThrows(TemplateException.class, () -> render(template, Map.of("l", List.of(), "messages", List.of()))));
    }

    private static final String TEMPLATE =
            "{% for m in messages %}{{ bos_token ~ m.role ~ '\n' ~ m.content }}{% endfor %}{% if add_generation_prompt %}{{ eos_token }}{% endif %}";

    /** A model's folder, by its tokenizer's configuration. */
    private Path folder(Path target, String tokenizerConfig) throws IOException {
        Path folder = Files.createDirectories(target);
        TinyLlama.write(target.resolve("tiny.gguf"), 1);
        try (Checkpoint tiny = Checkpoints.open(target.resolve("tiny.gguf"))) {
            Files.writeString(folder.resolve("config.json"), tiny.config().toJson());
            Files.writeString(folder.resolve("tokenizer.json"), tiny.tokenizer().json());
            WholeSafetensors.write(folder.resolve("model.safetensors"), tiny.tensors(), Map.of(), name -> {
                FloatBuffer values = FloatBuffer.allocate((int) Arrays.stream(tiny.tensors().get(name)).reduce(1, (a, b) -> a * b));
                tiny.read(name, values);
                return values.flip();
            });
        }
        Files.writeString(folder.resolve("tokenizer_config.json"), tokenizerConfig);
        return folder;
    }

    @Test
    void aTemplateIsFoundWhereverModelsKeepIt(@TempDir Path temporary) throws IOException {
        String quoted = TokenizerJson.write(Map.of("t", TEMPLATE)).substring(5).replaceFirst("}$", "");
        List<Path> models = new ArrayList<>(List.of(
                folder(temporary.resolve("text"), "{\"chat_template\": " + quoted + "}"),
                folder(temporary.resolve("list"), "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}, "
                        + "{\"name\": \"default\", \"template\": " + quoted + "}]}"),
                folder(temporary.resolve("file"), "{\"chat_template\": \"older\"}")));
        Files.writeString(models.get(2).resolve("chat_template.jinja"), TEMPLATE);
        models.add(temporary.resolve("chat.gguf"));
        TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.chat_template", TEMPLATE).write(models.get(3));
        for (Path path : models) {
            try (Checkpoint model = Checkpoints.open(path)) {
                assertEquals(TEMPLATE, model.tokenizer().chatTemplate(), path.toString());
            }
        }
        try (Checkpoint none = Checkpoints.open(folder(temporary.resolve("none"), "{}"));
                Tokenizer tokenizer = new Tokenizer(none.tokenizer())) {
            UserException error = assertThrows(UserException.class, () -> new ChatTemplate(none.tokenizer(), tokenizer));
            assertTrue(error.problem().contains("no chat template"), error.getMessage());
        }
    }

    @Test
    void conversationsWithToolsHaveTheModelsTemplateForThem(@TempDir Path temporary) throws IOException {
        List<Path> models = new ArrayList<>(List.of(
                folder(temporary.resolve("list"), "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"tools\"}, "
                        + "{\"name\": \"default\", \"template\": \"none\"}]}"),
                folder(temporary.resolve("files"), "{\"chat_template\": \"older\"}"), temporary.resolve("chat.gguf")));
        Files.writeString(models.get(1).resolve("chat_template.jinja"), "none");
        Files.writeString(Files.createDirectory(models.get(1).resolve("additional_chat_templates")).resolve("tool_use.jinja"), "tools");
        TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.chat_template", "none").put("tokenizer.chat_template.tool_use", "tools")
                .write(models.get(2));
        List<Map<String, Object>> messages = List.of(Map.of("role", "user", "content", "hi"));
        for (Path path : models) {
            try (Checkpoint model = Checkpoints.open(path); Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
                ChatTemplate template = new ChatTemplate(model.tokenizer(), tokenizer);
                assertEquals("none", assertDoesNotThrow(() -> template.render(new Chat(messages, null), true)).text(), path.toString());
                assertEquals("tools", assertDoesNotThrow(() -> template.render(new Chat(messages, List.of()), true)).text(), path.toString());
            }
        }
    }

    @Test
    void joinedTemplatesRenderAsEachAlone() throws TemplateException {
        Map<String, Object> plain = new HashMap<>(Map.of("name", "x"));
        plain.put("tools", null);
        Map<String, Object> withTools = Map.of("name", "y", "tools", List.of(1));
        List<String> templates = List.of("\n a \n", "  {%- if name %} b {% endif -%}  \n\n", "{% set n = name %}\n  {{ n }}  ", "c\r\n", " {# d #}\n ",
                "\t{% macro m(a) %}{{ a }}{% endmacro %}\n{{ m(name) }}\n");
        for (String one : templates) {
            for (String other : templates) {
                String joined = ChatTemplateSource.join(one, other);
                assertEquals(render(one, plain), render(joined, plain), joined);
                assertEquals(render(one, Map.of("name", "x")), render(joined, Map.of("name", "x")), joined);
                assertEquals(render(other, withTools), render(joined, withTools), joined);
            }
        }
    }

    @Test
    void aConversationIsRenderedWithTheModelsOwnTokensAndEncodedAsMarkup(@TempDir Path temporary) throws IOException {
        Path path = temporary.resolve("chat.gguf");
        TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.chat_template", TEMPLATE).write(path);
        try (Checkpoint model = Checkpoints.open(path); Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
            String text = new ChatTemplate(model.tokenizer(), tokenizer).render(List.of(new ChatMessage("user", "hi")));
            assertEquals("<|endoftext|>user\nhi<|endoftext|>", text);
            int[] ids = tokenizer.encode(text, true);
            assertEquals(TinyLlama.END_OF_TEXT, ids[0]);
            assertEquals(TinyLlama.END_OF_TEXT, ids[ids.length - 1]);
            assertEquals(text, tokenizer.decode(ids));
            assertTrue(Arrays.stream(tokenizer.encode(text)).noneMatch(id -> id == TinyLlama.END_OF_TEXT));
            // A student's folder hands it on.
            Path student = folder(temporary.resolve("student"), model.tokenizer().configJson());
            try (Checkpoint again = Checkpoints.open(student)) {
                assertEquals(model.tokenizer(), again.tokenizer());
            }
        }
    }

    @Test
    void aMessagePrintedWholeBeginsWithItsRole(@TempDir Path temporary) {
        Path path = temporary.resolve("json.gguf");
        TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.chat_template", "{{ messages | tojson }}").write(path);
        try (Checkpoint model = Checkpoints.open(path); Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
            assertEquals("[{\"role\": \"user\", \"content\": \"hi\"}]",
                    new ChatTemplate(model.tokenizer(), tokenizer).render(List.of(new ChatMessage("user", "hi"))));
        }
    }

    @Test
    void everyTokenThatEndsATurnStopsTheText(@TempDir Path temporary) throws IOException {
        Path path = temporary.resolve("turns.gguf");
        TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.ggml.eot_token_id", 7).put("tokenizer.ggml.eom_token_id", 100_000).write(path);
        try (Checkpoint gguf = Checkpoints.open(path)) {
            assertEquals(List.of(0, 7), gguf.tokenizer().stopIds());
        }
        Path folder = folder(temporary.resolve("folder"), "{\"eos_token\": \"<|endoftext|>\"}");
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [0, 9]}");
        try (Checkpoint model = Checkpoints.open(folder)) {
            assertEquals(List.of(0, 9), model.tokenizer().stopIds());
        }
    }

    @Test
    void deeplyNestedSourcesAreRefused() {
        for (String template : List.of("{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}", "{{ 1" + "+1".repeat(200_000) + " }}",
                "{% if 1 %}".repeat(50_000) + "{% endif %}".repeat(50_000), "{{ " + "not ".repeat(200_000) + "1 }}", "x".repeat(2_000_000))) {
            TemplateException error = assertThrows(TemplateException.class, () -> render(template, Map.of()));
            assertTrue(error.getMessage().contains("deep") || error.getMessage().contains("longer"), error.getMessage());
        }
    }
}
