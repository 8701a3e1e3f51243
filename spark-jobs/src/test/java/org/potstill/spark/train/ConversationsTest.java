// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.spark.sql.SaveMode;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Chat;
import org.potstill.checkpoints.tokenizer.ChatEncoder;
import org.potstill.checkpoints.tokenizer.ChatMessage;
import org.potstill.checkpoints.tokenizer.ChatTemplate;
import org.potstill.checkpoints.tokenizer.EncodedChat;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.UnusableChatException;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.corpus.LearnFrom;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;

/** Conversations from files to a student that was trained on the responses. */
class ConversationsTest {
    private static final String TEMPLATE = "{% for m in messages %}{{ bos_token ~ m.role ~ '\n' ~ m.content ~ eos_token }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ bos_token ~ 'assistant\n' }}{% endif %}";
    @TempDir
    private static Path folder;
    private static Distillery distillery;
    private static LabelSummary labelled;

    @BeforeAll
    static void label() {
        distillery = new Distillery(folder);
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", TEMPLATE).write(distillery.teacher());
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 20; i++) {
            lines.append("{\"messages\": [");
            for (int m = 0; m < messages(i).size(); m++) {
                ChatMessage message = messages(i).get(m);
                lines.append(m == 0 ? "" : ", ").append("{\"role\": \"").append(message.role()).append("\", \"content\": \"").append(message.content())
                        .append("\"}");
            }
            lines.append("]}\n");
        }
        Distillery.write(folder.resolve("chats/chats.jsonl"), lines.toString());
        labelled = new LabelJob(Distillery.spark(), distillery.settings("corpus.path=" + folder.resolve("chats"))).run();
    }

    private static List<ChatMessage> messages(int i) {
        List<ChatMessage> messages = new ArrayList<>();
        for (int turn = 0; turn < 1 + i % 3; turn++) {
            messages.add(new ChatMessage("user", Distillery.text(100 * i + 2 * turn, 5).strip()));
            messages.add(new ChatMessage("assistant", Distillery.text(100 * i + 2 * turn + 1, 12).strip()));
        }
        return messages;
    }

    private static LabelStore store() {
        return LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), new TargetSpec(8, 0, 0), null);
    }

    private static TrainSummary train(String... overrides) {
        List<String> all = new ArrayList<>(List.of("corpus.path=" + folder.resolve("chats")));
        all.addAll(Arrays.asList(overrides));
        return new TrainJob(Distillery.spark(), distillery.settings(all.toArray(String[]::new))).run();
    }

    /** Encoded by the bare encoder: those held out, or the others. */
    private static List<EncodedChat> encoded(boolean heldOut) throws UnusableChatException {
        Set<String> training = Set.copyOf(store().snapshot().map(SnapshotEntry::document).collect());
        List<EncodedChat> all = new ArrayList<>();
        String file = "file:" + folder.resolve("chats/chats.jsonl").toAbsolutePath();
        int offset = 0;
        try (Checkpoint teacher = Checkpoints.open(distillery.teacher()); Tokenizer tokenizer = new Tokenizer(teacher.tokenizer())) {
            ChatEncoder encoder = new ChatEncoder(teacher.tokenizer(), tokenizer, LocalDate.EPOCH);
            for (int i = 0; i < 20; i++) {
                List<Map<String, Object>> chat = new ArrayList<>();
                int length = "{\"messages\": []}\n".length() + 2 * (messages(i).size() - 1);
                for (ChatMessage message : messages(i)) {
                    Map<String, Object> members = new LinkedHashMap<>();
                    members.put("role", message.role());
                    members.put("content", message.content());
                    chat.add(members);
                    length += "{\"role\": \"\", \"content\": \"\"}".length() + message.role().length() + message.content().length();
                }
                if (training.contains(file + ":" + offset) != heldOut) {
                    all.add(encoder.encode(new Chat(chat, null), false));
                }
                offset += length;
            }
        }
        return all;
    }

    private static long count(List<EncodedChat> chats, LearnFrom from) {
        long count = 0;
        for (EncodedChat chat : chats) {
            boolean[] mask = from.mask(chat.parts());
            count += IntStream.range(1, mask.length).filter(t -> mask[t]).count();
        }
        return count;
    }

    @Test
    void theStudentLearnsFromTheTokensThatTheEncoderMarks() throws UnusableChatException {
        List<EncodedChat> chats = encoded(false);
        assertEquals(labelled.corpus().documents() - labelled.corpus().heldOut(), chats.size());
        assertTrue(labelled.corpus().sequences() > chats.size(), "responses are cut");
        for (LearnFrom from : LearnFrom.values()) {
            TrainSummary summary = train("train.learn-from=" + from.name().toLowerCase(Locale.ROOT).replace('_', '-'),
                    "student.path=" + folder.resolve("student-" + from));
            assertEquals(count(chats, from), summary.positions(), from.name());
        }
        assertTrue(count(chats, LearnFrom.LAST_RESPONSE) < count(chats, LearnFrom.RESPONSES));
    }

    @Test
    void whatTheStudentIsAskedIsWhatItWasTrainedOn() throws UnusableChatException {
        train("train.learn-from=responses");
        List<EncodedChat> chats = encoded(false);
        chats.addAll(encoded(true));
        int same = 0;
        try (Checkpoint student = Checkpoints.open(folder.resolve("student")); Tokenizer tokenizer = new Tokenizer(student.tokenizer())) {
            for (int i = 0; i < 20; i++) {
                // As potstill generate --chat does.
                int[] prompt = tokenizer.encode(new ChatTemplate(student.tokenizer(), tokenizer).render(messages(i).subList(0, 1)), true);
                same += (int) chats.stream().filter(chat -> Arrays.equals(prompt, Arrays.copyOf(chat.ids(), prompt.length))
                        && chat.parts()[prompt.length - 1] == EncodedChat.PROMPT && chat.parts()[prompt.length] != EncodedChat.PROMPT).count();
            }
        }
        assertEquals(20, same);
    }

    @Test
    void evaluationScoresWhatTheStudentLearnsFrom() throws UnusableChatException {
        train("student.path=" + folder.resolve("evaluated"));
        for (LearnFrom from : List.of(LearnFrom.EVERYTHING, LearnFrom.RESPONSES)) {
            EvaluateSummary summary = new EvaluateJob(Distillery.spark(), distillery.settings("corpus.path=" + folder.resolve("chats"),
                    "student.path=" + folder.resolve("evaluated"), "evaluate.speed-tokens=0", "evaluate.max-tokens=100000",
                    "train.learn-from=" + from.name().toLowerCase(Locale.ROOT))).run();
            assertEquals(count(encoded(true), from), summary.heldOut().positions());
            assertEquals(from == LearnFrom.RESPONSES, summary.notes().stream().anyMatch(note -> note.contains("train.learn-from")));
        }
    }

    @Test
    void conversationsInParquetHaveTheSameKeysAndMasks() {
        Distillery.spark().read().json(folder.resolve("chats").toString()).write().mode(SaveMode.Overwrite).parquet(folder.resolve("rows").toString());
        Set<List<Object>> before = content(store());
        new LabelJob(Distillery.spark(), distillery.settings("corpus.path=" + folder.resolve("rows"), "cache.path=" + folder.resolve("other"))).run();
        assertEquals(before, content(LabelStores.find(Distillery.spark(), folder.resolve("other").toString(), new TargetSpec(8, 0, 0), null)));
    }

    private static Set<List<Object>> content(LabelStore store) {
        return Set.copyOf(store.snapshot().map(entry -> List.<Object>of(entry.key(), entry.sequence(), entry.responses())).collect());
    }

    @Test
    void textsWithoutMarkersHaveNoResponses() {
        UserException error = Failures.within(assertThrows(Exception.class, () -> new LabelJob(Distillery.spark(),
                distillery.settings("train.learn-from=responses", "cache.path=" + folder.resolve("texts"))).run())).orElseThrow();
        assertTrue(error.getMessage().contains("nothing to learn from") && error.getMessage().contains("train.learn-from"), error.getMessage());
    }
}
