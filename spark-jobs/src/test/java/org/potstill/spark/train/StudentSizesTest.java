// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.spark.settings.Settings;

/** The files {@code conf/student-*.conf}. */
class StudentSizesTest {
    private static final Path CONF = Path.of("../conf");
    private static final int QUICKSTART_VOCABULARY = 49_152;

    static List<String> sizes() throws IOException {
        try (Stream<Path> files = Files.list(CONF)) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith("student-")).sorted().toList();
        }
    }

    @Test
    void thereAreFive() throws IOException {
        assertEquals(List.of("student-10m.conf", "student-20m.conf", "student-40m.conf", "student-5m.conf", "student-80m.conf"), sizes());
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void aSizeHasTheParametersOfItsName(String name) {
        Settings settings = Settings.load(List.of(CONF.resolve(name).toString()), List.of());
        for (String key : List.of("hidden-size", "intermediate-size", "layers", "heads", "kv-heads")) {
            assertTrue(settings.isGiven("student." + key), key);
        }
        CausalLmConfig config = StudentShape.of(settings, QUICKSTART_VOCABULARY);
        TrainingSettings.options(settings, 1000);
        double promised = 1e6 * Integer.parseInt(name.replaceAll("\\D", ""));
        assertEquals(promised, (double) parameters(config), 0.12 * promised);
    }

    private static long parameters(CausalLmConfig c) {
        long attention = 2L * c.hiddenSize() * c.headDim() * (c.numAttentionHeads() + c.numKeyValueHeads());
        long layer = attention + 3L * c.hiddenSize() * c.intermediateSize() + 2L * c.hiddenSize();
        return (long) c.vocabSize() * c.hiddenSize() + c.numHiddenLayers() * layer + c.hiddenSize();
    }
}
