// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.huggingface.SafetensorsFile;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.errors.UserException;

class StudentFolderTest {
    @TempDir
    Path folder;

    @Test
    void aSavedStudentComesBackToTheBit() {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            student.save(folder.resolve("new/student"));
            try (Student loaded = Student.load(folder.resolve("new/student"), Fixtures.adamW())) {
                assertEquals(student.config(), loaded.config());
                assertArrayEquals(student.parameters(), loaded.parameters());
                int[] ids = {1, 2, 3, 4};
                assertArrayEquals(student.logits(ids), loaded.logits(ids));
                var batch = Fixtures.batch(1, 37, 4, 6);
                assertEquals(student.step(batch, 0), loaded.step(batch, 0));
            }
        }
    }

    @Test
    void aSavedStudentOpensAsACheckpointAndSoCanTeach() {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            student.save(folder);
            try (Checkpoint checkpoint = Checkpoints.open(folder)) {
                assertEquals(student.config(), checkpoint.config());
                FloatBuffer embedding = FloatBuffer.allocate(37 * 12);
                checkpoint.read(LlamaTensors.EMBEDDING, embedding);
                assertArrayEquals(Arrays.copyOf(student.parameters(), 37 * 12), embedding.array());
            }
        }
    }

    @Test
    void tensorsAreNamedAndShapedAsHuggingFaceDoes() {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            student.save(folder);
        }
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("model.safetensors"))) {
            assertEquals(2 + 9 * 2, file.names().size());
            assertArrayEquals(new long[] {37, 12}, file.shape("model.embed_tokens.weight"));
            assertArrayEquals(new long[] {24, 12}, file.shape("model.layers.1.self_attn.q_proj.weight"));
            assertArrayEquals(new long[] {12, 12}, file.shape("model.layers.1.self_attn.v_proj.weight"));
            assertArrayEquals(new long[] {12, 24}, file.shape("model.layers.0.self_attn.o_proj.weight"));
            assertArrayEquals(new long[] {12, 20}, file.shape("model.layers.0.mlp.down_proj.weight"));
            assertArrayEquals(new long[] {12}, file.shape("model.norm.weight"));
        }
    }

    @Test
    void aFolderWhoseFilesDisagreeIsRefused() throws IOException {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            student.save(folder);
        }
        Path config = folder.resolve("config.json");
        String json = Files.readString(config);
        Files.writeString(config, json.replace("\"vocab_size\": 37", "\"vocab_size\": 4000000"));
        UserException shape = assertThrows(UserException.class, () -> Student.load(folder, Fixtures.adamW()));
        assertTrue(shape.getMessage().contains("4000000"), shape.getMessage());
        Files.writeString(config, json.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
        UserException missing = assertThrows(UserException.class, () -> Student.load(folder, Fixtures.adamW()));
        assertTrue(missing.getMessage().contains("model.layers.2."), missing.getMessage());
        Files.delete(config);
        assertThrows(UserException.class, () -> Student.load(folder, Fixtures.adamW()));
    }
}
