// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.EmbeddingSequenceLayer;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.lossfunctions.LossFunctions;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.onnx.ReadyMade;
import org.potstill.errors.UserException;
import org.potstill.kernels.OneDnn;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.train.TrainJob;

/** Whatever the teacher is: the same job. */
class TeacherKindsTest {
    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
    }

    private LabelSummary label(String... overrides) {
        return new LabelJob(Distillery.spark(), distillery.settings(overrides)).run();
    }

    private Map<String, LabelledSequence> rows(String cache, String teacher) {
        Map<String, LabelledSequence> rows = new HashMap<>();
        LabelStores.find(Distillery.spark(), folder.resolve(cache).toString(), TargetSpec.topK(8), teacher).sequences().collect()
                .forEach(row -> rows.put(row.key(), row));
        return rows;
    }

    @Test
    void aTeacherInEightBitsHasLabelsOfItsOwnAndSaysWhatThatCost() {
        LabelSummary single = label();
        LabelSummary eight = label("teacher.precision=int8");
        assertEquals(single.scoredTokens(), eight.scoredTokens());
        assertEquals("int8", eight.precision().precision());
        assertTrue(eight.precision().kl() > 0 && eight.precision().kl() < 0.003, eight.precision().toString());
        assertTrue(eight.precision().agreement() > 0.95 && eight.precision().positions() > 1000, eight.precision().toString());
        assertEquals(1, eight.executors().get(0).modelLoads());
        assertTrue(!single.cache().equals(eight.cache()));
        assertEquals(0, label().scoredTokens());
        assertEquals(0, label("teacher.precision=int8").scoredTokens());
        UserException refusal = refusal("teacher.precision=int8", "teacher.max-precision-kl=0", "cache.path=" + folder.resolve("other"));
        assertTrue(refusal.problem().contains("too far from"), refusal.getMessage());
        assertTrue(new TrainJob(Distillery.spark(), distillery.settings("teacher.precision=int8")).run().positions() > 0);
    }

    @Test
    void aTeacherInBfloat16HasLabelsOfItsOwnAndSaysWhatThatCost() {
        assumeTrue(OneDnn.canUseBf16(), "this processor does not multiply bfloat16 numbers");
        LabelSummary single = label();
        LabelSummary rounded = label("teacher.precision=bf16");
        assertEquals(single.scoredTokens(), rounded.scoredTokens());
        assertEquals("bf16", rounded.precision().precision());
        assertTrue(rounded.precision().kl() > 0 && rounded.precision().kl() < 0.0005, rounded.precision().toString());
        assertEquals(0, label("teacher.precision=bf16").scoredTokens());
    }

    @Test
    void aTrainedStudentTeachesTheNextOneOnEitherEngine() {
        label();
        new TrainJob(Distillery.spark(), distillery.settings()).run();
        for (String engine : List.of("onnx", "nd4j")) {
            LabelSummary summary = label("teacher.path=" + folder.resolve("student"), "teacher.engine=" + engine,
                    "cache.path=" + folder.resolve(engine));
            assertEquals(summary.corpus().positions(), summary.scoredTokens());
        }
        Map<String, LabelledSequence> byNd4j = rows("nd4j", null);
        rows("onnx", null).forEach((key, row) -> assertEquals(row.teacherLoss(), byNd4j.get(key).teacherLoss(), 1e-4));
    }

    @Test
    void aReadyMadeOnnxModelLabels() throws IOException {
        Path model = ReadyMade.copy("past", Files.createDirectories(folder.resolve("onnx-model")));
        LabelSummary summary = label("teacher.path=" + model);
        assertEquals(summary.corpus().positions(), summary.scoredTokens());
        assertEquals(0, label("teacher.path=" + model).scoredTokens());
        assertTrue(refusal("teacher.path=" + model, "teacher.precision=int8").problem().contains("INT8"));
        assertTrue(refusal("teacher.path=" + model, "teacher.precision=bf16").problem().contains("BF16"));
    }

    @Test
    void aDeeplearning4jNetworkLabelsOnNd4jAlone() throws IOException {
        MultiLayerNetwork network = new MultiLayerNetwork(new NeuralNetConfiguration.Builder().seed(3).list()
                .layer(new EmbeddingSequenceLayer.Builder().nIn(320).nOut(8).build())
                .layer(new LSTM.Builder().nIn(8).nOut(12).activation(Activation.TANH).build())
                .layer(new RnnOutputLayer.Builder(LossFunctions.LossFunction.MCXENT).nIn(12).nOut(320)
                        .activation(Activation.SOFTMAX).build()).build());
        network.init();
        Path model = Files.createDirectories(folder.resolve("dl4j")).resolve("network.zip");
        ModelSerializer.writeModel(network, model.toFile(), false);
        Files.writeString(model.resolveSibling("config.json"), "{\"vocab_size\": 320, \"max_position_embeddings\": 256}");
        try (Checkpoint tiny = Checkpoints.open(distillery.teacher())) {
            Files.writeString(model.resolveSibling("tokenizer.json"), tiny.tokenizer().json());
        }
        LabelSummary summary = label("teacher.path=" + model, "teacher.engine=nd4j");
        assertEquals(summary.corpus().positions(), summary.scoredTokens());
        // It has learnt nothing: near to log 320.
        assertEquals(Math.log(320), summary.teacherLoss(), 0.2);
        assertTrue(refusal("teacher.path=" + model).remedy().contains("nd4j"));
    }

    private UserException refusal(String... overrides) {
        return Failures.within(assertThrows(Exception.class, () -> label(overrides))).orElseThrow();
    }
}
