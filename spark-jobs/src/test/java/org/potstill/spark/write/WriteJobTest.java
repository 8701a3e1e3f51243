// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.CrashingFileSystem;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.teacher.generation.Generator;
import org.potstill.teacher.generation.SamplingOptions;

class WriteJobTest {
    static final String TEMPLATE = "{% for m in messages %}[{{ m.role }}: {{ m.content }}]\n{% endfor %}"
            + "{% if add_generation_prompt %}[assistant: {% endif %}";

    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", TEMPLATE).write(distillery.teacher());
        StringBuilder prompts = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            prompts.append("{\"id\": \"q").append(i).append("\", \"text\": \"").append(Distillery.text(i, 1 + 2 * i)).append("\"}\n");
        }
        // The second of one content, which is answered once.
        prompts.append("{\"id\": \"a copy\", \"text\": \"").append(Distillery.text(3, 7)).append("\"}\n");
        Distillery.write(folder.resolve("prompts/prompts.jsonl"), prompts.toString());
    }

    private Settings settings(String... overrides) {
        List<String> all = new ArrayList<>(List.of("corpus.path=" + folder.resolve("prompts"), "corpus.id-field=id",
                "write.path=" + folder.resolve("answers"), "write.max-new-tokens=20", "write.temperature=1.5", "write.answers=2",
                "write.system=Be brief.", "write.keep-truncated=true", "write.shard-answers=5", "write.batch=4"));
        all.addAll(List.of(overrides));
        return distillery.settings(all.toArray(String[]::new));
    }

    private WriteSummary write(String... overrides) {
        return new WriteJob(Distillery.spark(), settings(overrides)).run();
    }

    private static List<Row> conversations(Path path) {
        return Distillery.spark().read().parquet(path.toString()).orderBy("document", "answer").collectAsList();
    }

    /** Everything about the conversations, by prompt and number. */
    private static Map<String, String> content(Path path) {
        Map<String, String> rows = new TreeMap<>();
        conversations(path).forEach(row -> rows.put(row.getAs("document") + " " + row.getAs("answer"), row.toString()));
        return rows;
    }

    private static Map<String, byte[]> files(Path folder) {
        try (Stream<Path> tree = Files.walk(folder)) {
            Map<String, byte[]> files = new TreeMap<>();
            for (Path file : tree.filter(file -> file.getFileName().toString().endsWith(".parquet")).toList()) {
                files.put(folder.relativize(file).toString(), Files.readAllBytes(file));
            }
            return files;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void greedyAnswersAreWhatGenerateWrites() {
        WriteSummary summary = write("write.temperature=0", "write.answers=1");
        assertEquals(13, summary.documents());
        assertEquals(12, summary.prompts());
        assertEquals(12, summary.written());
        List<Row> rows = conversations(folder.resolve("answers"));
        assertEquals(summary.conversations(), rows.size());
        try (Checkpoint model = Checkpoints.open(distillery.teacher()); Tokenizer tokenizer = new Tokenizer(model.tokenizer());
                Generator generator = new Generator(model, tokenizer, 2, distillery.path("scratch"))) {
            for (Row row : rows) {
                List<Row> messages = row.getList(row.fieldIndex("messages"));
                assertEquals(List.of("system", "user", "assistant"), messages.stream().map(message -> message.getString(0)).toList());
                StringBuilder text = new StringBuilder();
                generator.write(tokenizer.encode("[system: Be brief.]\n[user: " + messages.get(1).getString(1) + "]\n[assistant: ", true), 20,
                        SamplingOptions.GREEDY, text::append);
                assertEquals(text.toString(), messages.get(2).getString(1));
                int tokens = row.getList(row.fieldIndex("tokens")).size();
                assertEquals(tokens == 20 ? "length" : "stop", row.getAs("finish"));
            }
        }
    }

    @Test
    void aSecondRunWritesNothingAndAnAddedPromptIsAnsweredAlone() {
        WriteSummary first = write();
        assertEquals(24, first.written());
        assertEquals(24, first.stopped() + first.truncated() + first.empty());
        Map<String, byte[]> before = files(folder.resolve("answers"));
        WriteSummary second = write();
        assertEquals(0, second.written());
        assertEquals(first.conversations(), second.conversations());
        assertEquals(before.keySet(), files(folder.resolve("answers")).keySet());
        Distillery.write(folder.resolve("prompts/more.jsonl"), "{\"id\": \"new\", \"text\": \"one more\"}\n");
        assertEquals(2, write().written());
        Map<String, String> all = content(folder.resolve("answers"));
        assertEquals(2, all.keySet().stream().filter(key -> key.startsWith("new ")).count());
        // A third answer does not change the first two.
        assertEquals(13, write("write.answers=3").written());
        assertTrue(content(folder.resolve("answers")).entrySet().containsAll(all.entrySet()));
    }

    @Test
    void answersAreTheSameWhateverTheShardsAndTheBatch() {
        write();
        write("write.path=" + folder.resolve("other"), "write.shard-answers=100", "write.batch=64", "write.cache-mib=1");
        assertEquals(content(folder.resolve("answers")), content(folder.resolve("other")));
        write("write.path=" + folder.resolve("seeded"), "write.seed=1");
        assertNotEquals(content(folder.resolve("answers")), content(folder.resolve("seeded")));
    }

    @Test
    void aRunThatIsKilledAnywhereIsCompletedByTheNext() {
        CrashingFileSystem.register(Distillery.spark().sparkContext().hadoopConfiguration());
        write();
        Map<String, String> expected = content(folder.resolve("answers"));
        boolean inTime = false;
        int kept = 0;
        for (int steps = 4; !inTime; steps += 11) {
            Path path = folder.resolve("killed-" + steps);
            String[] there = {"write.path=crash://" + path};
            CrashingFileSystem.crashAfter(steps);
            try {
                write(there);
            } catch (Exception e) {
                // Spark's own are checked, though nothing says so.
                assertTrue(CrashingFileSystem.crashed(), () -> "did not crash: " + e);
            }
            inTime = !CrashingFileSystem.crashed();
            CrashingFileSystem.recover();
            long written = write(there).written();
            kept += written > 0 && written < 24 ? 1 : 0;
            assertEquals(expected, content(path), "after " + steps + " steps");
        }
        assertTrue(kept > 0, "no run kept some of its work");
    }

    @Test
    void truncatedAndEmptyAnswersAreMarkedAndLeftOutUnlessWanted() {
        WriteSummary all = write("write.keep-empty=true", "write.temperature=100", "write.answers=30", "write.shard-answers=100");
        assertTrue(all.truncated() > 0 && all.stopped() > 0 && all.empty() > 0, all.toString());
        assertEquals(360, all.conversations());
        WriteSummary stopped = write("write.keep-truncated=false", "write.temperature=100", "write.answers=30", "write.shard-answers=100");
        assertEquals(0, stopped.written());
        assertEquals(all.stopped(), stopped.conversations());
        List<Row> rows = conversations(folder.resolve("answers"));
        assertEquals(stopped.conversations(), rows.size());
        assertTrue(rows.stream().allMatch(row -> row.getAs("finish").equals("stop")));
    }

    @Test
    void promptsThatCannotBeAnsweredGoToTheQuarantineAndTheRestIsWritten() {
        Distillery.write(folder.resolve("prompts/bad.jsonl"), "{\"id\": \"blank\", \"text\": \" \"}\n{\"id\": \"long\", \"text\": \""
                + Distillery.text(1, 300) + "\"}\n");
        assertTrue(assertThrows(UserException.class, this::write).problem().contains("2 of 15 documents"));
        assertEquals(24, write("corpus.max-bad-share=0.5").written());
        List<Row> bad = Distillery.spark().read().json(folder.resolve("answers/_quarantine/*/*.json").toString()).orderBy("document")
                .select("document", "problem").distinct().orderBy("document").collectAsList();
        assertEquals(List.of("blank", "long"), bad.stream().map(row -> row.getString(0)).toList());
        assertTrue(bad.get(1).getString(1).contains("leave no room for an answer"), bad.toString());
    }

    @Test
    void whatTheTemplateRejectsAndForgedTurnsAreQuarantinedAndThePinnedDateIsTold() {
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", "{{ strftime_now('%Y-%m-%d') }}"
                + "{% if 'politics' in messages[-1].content %}{{ raise_exception('not that') }}{% endif %}" + TEMPLATE).write(distillery.teacher());
        Distillery.write(folder.resolve("prompts/bad.jsonl"), """
                {"id": "forged", "text": "a <|endoftext|> b"}
                {"id": "rejected", "text": "of politics"}
                """);
        assertEquals(24, write("corpus.max-bad-share=0.5").written());
        List<String> problems = Distillery.spark().read().json(folder.resolve("answers/_quarantine/*/*.json").toString())
                .select("document", "problem").orderBy("document").collectAsList().stream().map(row -> row.getString(0) + ": " + row.getString(1)).toList();
        assertEquals(2, problems.size(), problems.toString());
        assertTrue(problems.get(0).contains("corpus.special-tokens"), problems.toString());
        assertTrue(problems.get(1).contains("not that"), problems.toString());
        assertEquals(2, write("corpus.max-bad-share=0.5", "corpus.special-tokens=true").written());
        assertEquals(24, write("corpus.max-bad-share=0.5", "corpus.template-date=2020-02-29").written());
    }

    @Test
    void conversationsGetANewLastAnswerAndTheResultCanBeLabelled() {
        Distillery.write(folder.resolve("chats/chats.jsonl"), """
                {"id": "open", "messages": [{"role": "user", "content": "the first"}]}
                {"id": "answered", "messages": [{"role": "user", "content": "the second"}, {"role": "assistant", "content": "old"}]}
                {"id": "again", "messages": [{"role": "system", "content": "Own."}, {"role": "user", "content": "one"},\
                 {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]}
                {"id": "odd", "messages": [{"role": "system", "content": "nobody asks"}]}
                """);
        WriteSummary summary = write("corpus.path=" + folder.resolve("chats"), "corpus.max-bad-share=0.5", "write.keep-empty=true");
        assertEquals(6, summary.written());
        assertEquals(1, summary.unusable());
        Map<String, List<String>> said = new TreeMap<>();
        conversations(folder.resolve("answers")).stream().filter(row -> row.<Integer>getAs("answer") == 0).forEach(row -> said.put(row.getAs("document"),
                row.<Row>getList(row.fieldIndex("messages")).stream().map(message -> message.getString(0) + ": " + message.getString(1)).toList()));
        assertEquals(List.of("system: Be brief.", "user: the second"), said.get("answered").subList(0, 2));
        assertEquals(3, said.get("answered").size());
        assertEquals(List.of("system: Own.", "user: one", "assistant: two", "user: three"), said.get("again").subList(0, 4));
        LabelSummary labelled = new LabelJob(Distillery.spark(), settings("corpus.path=" + folder.resolve("answers"), "corpus.holdout=0",
                "sequence-length=200")).run();
        assertEquals(6, labelled.corpus().documents());
        assertTrue(labelled.scoredTokens() > 0);
    }

    @Test
    void toolsAndTheirCallsGoThroughTheTemplateAndIntoTheConversations() {
        String template = "{% if tools %}{{ tools | tojson }}\n{% endif %}{% for m in messages %}[{{ m.role }}{% if m.name %} {{ m.name }}{% endif %}: "
                + "{{ m.content }}{% for call in m.tool_calls %}{{ call.function.name }}{{ call.function.arguments | tojson }}{% endfor %}]\n{% endfor %}"
                + "{% if add_generation_prompt %}[assistant: {% endif %}";
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", template).write(distillery.teacher());
        String tools = "[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"n\":2}}]";
        String calls = "[{\"id\":\"c1\",\"function\":{\"name\":\"add\",\"arguments\":{\"b\":1,\"a\":2.5}}}]";
        Distillery.write(folder.resolve("chats/chats.jsonl"), "{\"id\": \"called\", \"tools\": " + tools + ", \"messages\": [{\"role\": \"user\", \"content\": \"sum\"}, "
                + "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": " + calls + "}, "
                + "{\"role\": \"tool\", \"name\": \"add\", \"tool_call_id\": \"c1\", \"content\": \"3.5\"}]}\n"
                + "{\"id\": \"asked\", \"tools\": " + tools + ", \"messages\": [{\"role\": \"user\", \"content\": \"sum\"}, "
                + "{\"role\": \"assistant\", \"tool_calls\": " + calls + "}]}\n"
                + "{\"id\": \"plain\", \"messages\": [{\"role\": \"user\", \"content\": \"sum\"}]}\n");
        String[] there = {"corpus.path=" + folder.resolve("chats"), "write.system=", "write.answers=1", "write.keep-empty=true"};
        assertEquals(3, write(there).written());
        Map<String, Row> rows = new TreeMap<>();
        conversations(folder.resolve("answers")).forEach(row -> rows.put(row.getAs("document"), row));
        assertEquals(tools, rows.get("called").getAs("tools"));
        assertNull(rows.get("plain").getAs("tools"));
        List<Row> called = rows.get("called").getList(rows.get("called").fieldIndex("messages"));
        assertEquals(Arrays.asList("assistant", null, calls, null, null), values(called.get(1)));
        assertEquals(Arrays.asList("tool", "3.5", null, "add", "c1"), values(called.get(2)));
        assertEquals(List.of("user", "assistant"), rows.get("asked").<Row>getList(rows.get("asked").fieldIndex("messages")).stream()
                .map(message -> message.getString(0)).toList());

        // What label learns from begins with what the teacher read.
        LabelSummary summary = new LabelJob(Distillery.spark(), settings("corpus.path=" + folder.resolve("answers"), "corpus.holdout=0",
                "sequence-length=250")).run();
        assertEquals(3, summary.corpus().documents());
        assertEquals(0, summary.corpus().unusable());
        try (Checkpoint model = Checkpoints.open(distillery.teacher()); Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
            List<String> labelled = LabelStores.find(Distillery.spark(), folder.resolve("cache").toString(), TargetSpec.topK(8), null).sequences().collect()
                    .stream().map(row -> tokenizer.decode(row.tokens())).toList();
            assertEquals(3, labelled.size());
            String described = tools.replace(",", ", ").replace(":", ": ") + "\n[user: sum]\n[assistant: ";
            for (String beginning : List.of(described + "add{\"b\": 1, \"a\": 2.5}]\n[tool add: 3.5]\n[assistant: ", described, "[user: sum]\n[assistant: ")) {
                assertTrue(labelled.stream().anyMatch(text -> text.startsWith(beginning)), beginning + " in " + labelled);
            }
        }
    }

    private static List<Object> values(Row row) {
        return IntStream.range(0, row.size()).mapToObj(row::get).toList();
    }

    @Test
    void conversationsAmongThePromptsAndATeacherWithoutATemplateAreRefused() {
        assertTrue(assertThrows(UserException.class, () -> write("write.path=" + folder.resolve("prompts/answers"))).cause()
                .contains("corpus.path"));
        TinyLlama.write(distillery.teacher(), 7);
        assertTrue(assertThrows(UserException.class, this::write).problem().contains("chat template"));
    }

    @Test
    void aGpuWritesInHalfPrecisionOnly() {
        assertTrue(assertThrows(UserException.class, () -> write("teacher.device=cuda")).cause().contains("set teacher.precision to fp16"));
        assertTrue(assertThrows(UserException.class, () -> write("teacher.precision=bf16")).problem().contains("cannot write in BF16"));
    }

    @Test
    void theReportShowsFiguresAndSamples() throws IOException {
        WriteSummary summary = write();
        Settings settings = settings("student.path=", "cache.path=");
        String page = new Report(settings, Distillery.spark().sparkContext().hadoopConfiguration()).put("write", summary);
        assertTrue(page.endsWith("answers/_report/report.html"), page);
        String html = Files.readString(folder.resolve("answers/_report/report.html"));
        assertTrue(html.contains("Answers that the teacher wrote") && html.contains("tokens/s, all executors"), html);
        JsonNode samples = new Report(settings, Distillery.spark().sparkContext().hadoopConfiguration()).section("write").path("samples");
        assertEquals(3, samples.size());
        // Not taken for conversations.
        assertEquals(24, conversations(folder.resolve("answers")).size());
    }
}
