package org.potstill.teacher;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.softlabels.TargetSpec;

/**
 * What {@code bench/teacher_parity.py} compares with Hugging Face transformers: for each text file its token ids, and
 * for the first {@code length} tokens of the first {@code scored} files the top k; one JSON object a line. Or, with {@code time}, how fast that is.
 */
final class ScoreDump {
    private ScoreDump() {
    }

    /** {@code (dump OUTPUT SCORED | time) MODEL SCRATCH THREADS LENGTH K TEXT...} */
    public static void main(String[] arguments) throws IOException {
        boolean time = arguments[0].equals("time");
        List<String> rest = Arrays.asList(arguments).subList(time ? 1 : 3, arguments.length);
        Path model = Path.of(rest.get(0));
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.AUTO, Integer.parseInt(rest.get(2)),
                Path.of(rest.get(1)));
        int length = Integer.parseInt(rest.get(3));
        TargetSpec spec = new TargetSpec(Integer.parseInt(rest.get(4)));
        List<Path> texts = rest.subList(5, rest.size()).stream().map(Path::of).toList();
        long opening = System.nanoTime();
        try (Checkpoint checkpoint = Checkpoints.open(model);
                Tokenizer tokenizer = new Tokenizer(checkpoint.tokenizer());
                OnnxTeacher teacher = OnnxTeacher.open(checkpoint, options)) {
            System.out.printf("opened in %.1f s%n", (System.nanoTime() - opening) / 1e9);
            if (time) {
                time(tokenizer, teacher, spec, length, texts);
            } else {
                dump(tokenizer, teacher, spec, length, texts, Integer.parseInt(arguments[2]), Path.of(arguments[1]));
            }
        }
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM") || line.startsWith("RssFile") || line.startsWith("RssAnon")) {
                System.out.println(line);
            }
        }
    }

    private static void dump(Tokenizer tokenizer, Teacher teacher, TargetSpec spec, int length, List<Path> texts,
            int scoredTexts, Path output) throws IOException {
        try (var lines = Files.newBufferedWriter(output)) {
            for (Path text : texts) {
                String content = Files.readString(text, StandardCharsets.UTF_8);
                int[] ids = tokenizer.encode(content);
                JsonWriter json = new JsonWriter(lines);
                json.beginObject().name("file").value(text.toString());
                json.name("decodes").value(tokenizer.decode(ids).equals(content));
                array(json, "ids", ids);
                if (scoredTexts-- <= 0) {
                    json.endObject().flush();
                    lines.write("\n");
                    continue;
                }
                int[] chunk = Arrays.copyOf(ids, Math.min(length, ids.length));
                ScoredSequence scored = teacher.score(List.of(chunk), spec).get(0);
                array(json, "top_ids", scored.targets().ids());
                json.name("top_probabilities").beginArray();
                for (float p : scored.targets().probabilities()) {
                    json.value(p);
                }
                json.endArray().name("token_log_probabilities").beginArray();
                for (float p : scored.tokenLogProbabilities()) {
                    json.value(p);
                }
                json.endArray().endObject().flush();
                lines.write("\n");
            }
        }
    }

    private static void array(JsonWriter json, String name, int[] values) throws IOException {
        json.name(name).beginArray();
        for (int value : values) {
            json.value(value);
        }
        json.endArray();
    }

    private static void time(Tokenizer tokenizer, Teacher teacher, TargetSpec spec, int length, List<Path> texts)
            throws IOException {
        List<int[]> chunks = new ArrayList<>();
        for (Path text : texts) {
            int[] ids = tokenizer.encode(Files.readString(text, StandardCharsets.UTF_8));
            for (int from = 0; from + length + 1 <= ids.length; from += length) {
                chunks.add(Arrays.copyOfRange(ids, from, from + length + 1));
            }
        }
        int rows = Math.max(1, 1024 / length);
        teacher.score(chunks.subList(0, rows), spec);
        for (int run = 0; run < 4; run++) {
            List<int[]> batch = chunks.subList((run + 1) * rows, (run + 2) * rows);
            long start = System.nanoTime();
            teacher.score(batch, spec);
            double seconds = (System.nanoTime() - start) / 1e9;
            System.out.printf("%d x %d tokens: %.0f tokens/s%n", rows, length, rows * length / seconds);
        }
    }
}
