// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.teacher.scoring.TeacherOptions;

class ServingProcessTest {
    @TempDir
    private Path folder;

    private ServedModel.Job job(Path model, int newTokens) {
        return new ServedModel.Job(model.toString(), TeacherOptions.Engine.ONNX, TeacherOptions.Device.CPU, 0, Precision.FP32, 1,
                folder.resolve("scratch").toString(), List.of(new int[] {1, 2, 3, 4}), newTokens);
    }

    private Path own() throws Exception {
        return Files.createTempDirectory(folder, "process");
    }

    @Test
    void aModelAnswersUntilItIsToldToEnd() throws Exception {
        Path model = folder.resolve("tiny.gguf");
        TinyLlama.write(model, 3);
        try (ServingProcess process = new ServingProcess(job(model, 0), own())) {
            process.awaitReady();
            assertEquals(3, process.run(0).tokens());
            assertTrue(process.run(0).seconds() > 0);
            assertTrue(process.end().orElseThrow() > 20_000_000);
        }
    }

    @Test
    void theReasonWhyAModelCannotBeServedIsReported() throws Exception {
        try (ServingProcess process = new ServingProcess(job(folder.resolve("none.gguf"), 4), own())) {
            String message = assertThrows(ServingProcess.FailedException.class, process::awaitReady).getMessage();
            assertTrue(message.contains("none.gguf"), message);
        }
    }

    @Test
    void aCrashedProcessIsReportedWithItsStatusAndLastException() throws Exception {
        Path model = folder.resolve("tiny.gguf");
        TinyLlama.write(model, 3);
        try (ServingProcess process = new ServingProcess(job(model, 4), own())) {
            process.awaitReady();
            // There is one beginning: the eighth breaks what asks for it.
            String message = assertThrows(ServingProcess.FailedException.class, () -> process.run(7)).getMessage();
            assertTrue(message.contains("exit status 1") && message.contains("IndexOutOfBounds"), message);
        }
    }
}
