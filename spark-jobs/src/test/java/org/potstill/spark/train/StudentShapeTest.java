// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.errors.UserException;
import org.potstill.spark.Identity;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.student.LayerChoice;

class StudentShapeTest {
    private static final CausalLmConfig QWEN = new CausalLmConfig(320, 64, 128, 4, 4, 2, 32, 512, 1e-6f, 1e6f, false,
            new Variant(Family.QWEN3, false, false, 9, List.of(1, 3), List.of()));

    private static CausalLmConfig shape(String... settings) {
        return StudentShape.of(Settings.load(List.of(), List.of(settings)), 1000);
    }

    private static CausalLmConfig begun(String... settings) {
        return StudentShape.of(Settings.load(List.of(), List.of(settings)), QWEN, "qwen", LayerChoice.EVENLY_SPACED);
    }

    private static JsonNode identity(String init, String... settings) {
        return TrainingSettings.identity(TrainingSettings.resolved(Settings.load(List.of(), List.of(settings))), new TrainingPlan(10, 2, 1, 2, 1), init,
                HadoopFolder.JSON.createObjectNode());
    }

    @Test
    void settingsDescribeAStudentOfAnyFamily() {
        assertEquals(new CausalLmConfig(1000, 256, 704, 4, 4, 2, 64, 256, 1e-5f, 10_000f, true), shape());
        CausalLmConfig llama = shape("student.head-dim=40", "student.tie-embeddings=false", "student.rope-scaling.factor=8");
        assertEquals(40, llama.headDim());
        assertEquals(20, llama.variant().ropeDivisors().size());
        assertEquals(8f, llama.variant().ropeDivisors().get(19));
        assertTrue(llama.toJson().contains("llama3") && llama.toJson().contains("\"tie_word_embeddings\": false"), llama.toJson());
        assertEquals(List.of(0, 1, 2, 3), shape("student.family=mistral", "student.sliding-window=64").variant().slidingLayers());
        CausalLmConfig qwen2 = shape("student.family=Qwen2", "student.sliding-window=64", "student.sliding-from-layer=2");
        assertEquals(new Variant(Family.QWEN2, true, false, 64, List.of(2, 3), List.of()), qwen2.variant());
        assertTrue(shape("student.family=qwen3", "student.hidden-size=100", "student.heads=3", "student.kv-heads=3",
                "student.head-dim=128").headNorms());
    }

    @Test
    void settingsThatNoModelOfTheFamilyHasAreRefusedByName() {
        for (String[] each : List.of(
                new String[] {"student.sliding-window", "student.sliding-window=64"},
                new String[] {"student.sliding-from-layer", "student.sliding-window=64", "student.family=mistral", "student.sliding-from-layer=1"},
                new String[] {"student.sliding-from-layer", "student.sliding-from-layer=4", "student.family=qwen2"},
                new String[] {"student.head-dim", "student.head-dim=33"},
                new String[] {"student.hidden-size", "student.hidden-size=255"},
                new String[] {"student.kv-heads", "student.kv-heads=3"},
                new String[] {"student.family", "student.family=gemma"},
                new String[] {"student.family", "student.family=granite"},
                new String[] {"student.rope-scaling.factor", "student.rope-scaling.factor=0.5"},
                new String[] {"student.rope-scaling.high-freq-factor", "student.rope-scaling.high-freq-factor=1"})) {
            String[] settings = java.util.Arrays.copyOfRange(each, 1, each.length);
            UserException error = assertThrows(UserException.class, () -> shape(settings), each[0]);
            assertTrue(error.problem().contains("'" + each[0] + "'"), error.getMessage());
        }
    }

    @Test
    void aStudentThatBeginsWithACheckpointHasItsShapeAndContext() {
        assertEquals(QWEN, begun());
        assertEquals(QWEN, begun("student.head-dim=0", "student.heads=4", "student.family=Qwen3", "student.sliding-window=9"));
        // Layers 0 and 3, the second of which has a window.
        CausalLmConfig two = begun("student.layers=2", "sequence-length=1024", "student.rope-theta=500000");
        assertEquals(List.of(1), two.variant().slidingLayers());
        assertEquals(1024, two.maxPositionEmbeddings());
        assertEquals(500_000f, two.ropeTheta());
        for (String other : List.of("student.heads=2", "student.head-dim=16", "student.family=qwen2", "student.tie-embeddings=true",
                "student.sliding-window=8", "student.hidden-size=32", "student.sliding-from-layer=1", "student.rope-scaling.factor=8")) {
            UserException error = assertThrows(UserException.class, () -> begun(other), other);
            assertTrue(error.getMessage().contains(other.substring(0, other.indexOf('='))), error.getMessage());
        }
    }

    @Test
    void aPlainLlamasIdentityIsWhatItWasBeforeThereWereOthers() {
        Set<String> keys = new TreeSet<>();
        identity("").fieldNames().forEachRemaining(keys::add);
        assertEquals(new TreeSet<>(List.of("data", "seed", "sequence-length", "student.heads", "student.hidden-size", "student.init",
                "student.intermediate-size", "student.kv-heads", "student.layers", "student.rms-norm-eps", "student.rope-theta",
                "train.alpha", "train.batch-size", "train.beta1", "train.beta2", "train.epochs", "train.epsilon", "train.final-alpha",
                "train.learning-rate", "train.local-steps", "train.loss", "train.max-gradient-norm", "train.min-learning-rate",
                "train.optimizer", "train.outer-learning-rate", "train.outer-momentum", "train.payload", "train.precision",
                "train.response-end", "train.response-start", "train.tail", "train.warmup-share", "train.weight-decay",
                "train.workers")), keys);
        // What begins with a checkpoint has its shape: which layers are taken is all that is left to say.
        assertEquals(identity("abc"), identity("abc", "student.family=qwen3", "student.head-dim=32"));
    }

    @Test
    void anotherShapeIsAnotherStudentWhicheverCameFirst() {
        for (String setting : List.of("student.family=qwen3", "student.head-dim=32", "student.tie-embeddings=false", "student.sliding-window=5",
                "student.rope-scaling.factor=8")) {
            String key = setting.substring(0, setting.indexOf('='));
            JsonNode plain = identity("");
            JsonNode other = identity("", setting);
            assertEquals(Optional.of(key), Identity.firstDifference(plain, other));
            assertEquals(Optional.of(key), Identity.firstDifference(other, plain));
            assertEquals(setting.substring(key.length() + 1), TrainingSettings.said(other, key).asText());
            assertEquals(Settings.load(List.of(), List.of()).string(key), TrainingSettings.said(plain, key).asText());
        }
        assertEquals(Optional.of("student.init-layers"),
                Identity.firstDifference(identity("abc"), identity("abc", "student.init-layers=first")));
        assertEquals(Optional.empty(), Identity.firstDifference(identity(""), identity("", "student.init-layers=first")));
    }
}
