// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * What {@code bench/teacher_parity.py} compares with Hugging Face transformers: for each text file its token ids, and
 * for the first {@code length} tokens of the first {@code scored} files the top k; one JSON object a line.
 */
final class ScoreDump {
    private ScoreDump() {
    }

    /** {@code OUTPUT SCORED MODEL SCRATCH THREADS LENGTH K TEXT...} */
    public static void main(String[] arguments) throws IOException {
        List<String> rest = Arrays.asList(arguments).subList(2, arguments.length);
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.AUTO, Integer.parseInt(rest.get(2)),
                Path.of(rest.get(1)));
        int length = Integer.parseInt(rest.get(3));
        TargetSpec spec = TargetSpec.topK(Integer.parseInt(rest.get(4)));
        List<Path> texts = rest.subList(5, rest.size()).stream().map(Path::of).toList();
        try (CausalLm model = Checkpoints.model(Path.of(rest.get(0)));
                Tokenizer tokenizer = new Tokenizer(model.tokenizer());
                OnnxTeacher teacher = OnnxTeacher.open(model, options)) {
            dump(tokenizer, teacher, spec, length, texts, Integer.parseInt(arguments[1]), Path.of(arguments[0]));
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
}
