// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.student.decoder.Activations;

class StudentMemoryTest {
    static {
        Nd4jRuntime.prepare();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void activationsTakeWhatIsReckoned(boolean checkpointing) {
        for (CausalLmConfig config : Fixtures.FAMILIES) {
            Activations activations = new Activations(config, DataType.FLOAT, 7, checkpointing);
            assertEquals(7 * Activations.floatsPerRow(config, checkpointing), activations.floats());
            activations.free();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 50})
    void aStudentThatStepsTakesAboutWhatIsReckoned(int kept) {
        CausalLmConfig config = Fixtures.TINY;
        long parameters = StudentMemory.parameters(config);
        long bytes = StudentMemory.training(config, Fixtures.adamW(), 0, 0, kept, 1);
        assertEquals(16 * parameters, bytes);
        assertTrue(StudentMemory.training(config, Fixtures.adamW(), 10, 10, kept, 1) > bytes + 40L * kept);
    }
}
