// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Function;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * For {@code bench/export_parity.py} and {@code bench/gguf_parity.py}: the logits that a student itself gives, or the engine
 * of teachers for a GGUF file. Arguments: the student's folder or the file; a file with token ids, a sequence a line; a file
 * to write {@code [n, V]} floats of each to, little-endian; for a GGUF file a folder for its weights.
 */
public final class StudentLogits {
    private StudentLogits() {
    }

    public static void main(String[] args) throws IOException {
        Path model = Path.of(args[0]);
        if (Files.isDirectory(model)) {
            try (Student student = Student.load(model, TrainingOptions.NONE)) {
                write(student::logits, args);
            }
        } else {
            try (Teacher engine = Teachers.open(model, new TeacherOptions(TeacherOptions.Device.CPU, 2, Path.of(args[3])))) {
                write(engine::logits, args);
            }
        }
    }

    private static void write(Function<int[], float[]> model, String[] args) throws IOException {
        try (OutputStream out = Files.newOutputStream(Path.of(args[2]))) {
            for (String line : Files.readAllLines(Path.of(args[1]))) {
                float[] logits = model.apply(Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray());
                ByteBuffer bytes = ByteBuffer.allocate(4 * logits.length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(logits);
                out.write(bytes.array());
            }
        }
    }
}
