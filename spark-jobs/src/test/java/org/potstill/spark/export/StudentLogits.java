package org.potstill.spark.export;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;

/**
 * For {@code bench/export_parity.py}: the logits that a student itself gives. Arguments: its folder; a file with token ids, a
 * sequence a line; a file to write {@code [n, V]} floats of each to, little-endian.
 */
public final class StudentLogits {
    private StudentLogits() {
    }

    public static void main(String[] args) throws IOException {
        try (Student student = Student.load(Path.of(args[0]), TrainingOptions.NONE); OutputStream out = Files.newOutputStream(Path.of(args[2]))) {
            for (String line : Files.readAllLines(Path.of(args[1]))) {
                float[] logits = student.logits(Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray());
                ByteBuffer bytes = ByteBuffer.allocate(4 * logits.length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(logits);
                out.write(bytes.array());
            }
        }
    }
}
