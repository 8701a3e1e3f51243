// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.pruning.Cuts;
import org.potstill.checkpoints.pruning.PrunedCheckpoint;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.report.Report;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.TrainJob;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class PruneJobTest {
    private static final CausalLmConfig SHAPE = new CausalLmConfig(320, 64, 48, 5, 4, 2, 16, 256, 1e-5f, 10_000f, true);

    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
        TinyLlama.write(distillery.teacher(), 9, SHAPE);
    }

    private PruneSummary prune(String... overrides) {
        List<String> all = new ArrayList<>(List.of("prune.path=" + folder.resolve("pruned"), "prune.calibration-tokens=200"));
        all.addAll(List.of(overrides));
        return new PruneJob(Distillery.spark(), distillery.settings(all.toArray(String[]::new))).run();
    }

    private Checkpoint pruned() {
        return Checkpoints.open(folder.resolve("pruned"));
    }

    private List<int[]> calibration(String... overrides) {
        var settings = distillery.settings(overrides);
        try (Checkpoint teacher = Checkpoints.open(distillery.teacher())) {
            return PruningText.draw(Tokenization.of(settings).apply(new Corpus(Distillery.spark(), settings).documents(), teacher.tokenizer(),
                            teacher.vocabSize()),
                    200, 128, settings.seed(), "corpus").batches().stream().flatMap(List::stream).toList();
        }
    }

    /** KL(teacher ‖ what cuts leave) per token, by running both as teachers. */
    private double naiveKl(Cuts cuts) {
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch"));
        try (Checkpoint whole = Checkpoints.open(distillery.teacher()); Teacher one = Teachers.open(whole, options);
                Teacher other = Teachers.open(new PrunedCheckpoint(whole, cuts), options)) {
            return naiveKl(one, other);
        }
    }

    private double naiveKl(Teacher one, Teacher other) {
        double sum = 0;
        long positions = 0;
        for (int[] tokens : calibration()) {
            int[] inputs = Arrays.copyOf(tokens, tokens.length - 1);
            float[] p = one.logits(inputs);
            float[] q = other.logits(inputs);
            for (int t = 0; t < inputs.length; t++, positions++) {
                double[] logP = logSoftmax(p, t);
                double[] logQ = logSoftmax(q, t);
                for (int v = 0; v < logP.length; v++) {
                    sum += Math.exp(logP[v]) * (logP[v] - logQ[v]);
                }
            }
        }
        return sum / positions;
    }

    private static double[] logSoftmax(float[] logits, int row) {
        double[] values = IntStream.range(row * 320, (row + 1) * 320).mapToDouble(i -> logits[i]).toArray();
        double lse = Math.log(Arrays.stream(values).map(Math::exp).sum());
        return Arrays.stream(values).map(z -> z - lse).toArray();
    }

    private static float[] values(Checkpoint checkpoint, String tensor) {
        FloatBuffer values = FloatBuffer.allocate((int) Arrays.stream(checkpoint.tensors().get(tensor)).reduce(1, (a, b) -> a * b));
        checkpoint.read(tensor, values);
        return values.array();
    }

    @Test
    void layersGoInTheOrderThatANaiveGreedyRemovalFinds() {
        PruneSummary summary = prune("prune.layers=2");
        List<Integer> left = new ArrayList<>(List.of(0, 1, 2, 3, 4));
        for (Removal removal : summary.removals()) {
            double best = Double.MAX_VALUE;
            int worst = -1;
            for (int layer : left) {
                int[] rest = left.stream().filter(l -> l != layer).mapToInt(Integer::intValue).toArray();
                double kl = naiveKl(Cuts.none(SHAPE).withLayers(rest));
                assertEquals(kl, removal.candidates().get(layer), 1e-3 * kl + 1e-5);
                worst = kl < best ? layer : worst;
                best = Math.min(best, kl);
            }
            assertEquals(worst, removal.layer());
            assertEquals(best, removal.kl(), 1e-3 * best);
            left.remove((Integer) worst);
        }
        assertEquals(left, summary.kept());
        assertEquals(naiveKl(Cuts.none(SHAPE).withLayers(new int[] {0, 1, 3, 4})), summary.evenlySpaced().get(0).kl(), 1e-3);
        assertEquals(List.of(4, 3, 2), summary.evenlySpaced().stream().map(EvenlySpaced::layers).toList());
        try (Checkpoint model = pruned(); Checkpoint teacher = Checkpoints.open(distillery.teacher())) {
            assertEquals(2, model.config().numHiddenLayers());
            for (int i = 0; i < 2; i++) {
                assertArrayEquals(values(teacher, "model.layers." + left.get(i) + ".mlp.down_proj.weight"),
                        values(model, "model.layers." + i + ".mlp.down_proj.weight"));
            }
            assertTrue(model.tokenizer().differenceFrom(teacher.tokenizer()).isEmpty());
        }
    }

    @Test
    void depthAndWidthGoTogetherAndTheDivergenceIsThatOfTheModelWritten() {
        PruneSummary summary = prune("prune.layers=4", "prune.intermediate-size=40", "prune.kv-heads=1", "prune.hidden-size=56");
        assertEquals(new PruneSummary.Shape(summary.after().parameters(), 4, 56, 40, 2, 1), summary.after());
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch"));
        try (Teacher whole = Teachers.open(distillery.teacher(), options); Teacher rest = Teachers.open(folder.resolve("pruned"), options)) {
            assertEquals(naiveKl(whole, rest), summary.kl(), 1e-3 * summary.kl());
        }
    }

    @Test
    void aShareOfTheParametersDecidesHowManyLayersAreLeft() {
        PruneSummary summary = prune("prune.parameters=0.7");
        double share = (double) summary.after().parameters() / summary.before().parameters();
        double layer = (double) (summary.before().parameters() - summary.after().parameters()) / summary.removals().size();
        assertTrue(share <= 0.7 && share + layer / summary.before().parameters() > 0.7);
        assertTrue(assertThrows(UserException.class, () -> prune("prune.parameters=0.05", "prune.path=" + folder.resolve("other")))
                .getMessage().contains("embedding table"));
    }

    @Test
    void aRunThatWasKilledGoesOnFromItsLastRoundAndComesToTheSameModel() throws IOException {
        prune("prune.layers=2");
        byte[] weights = Files.readAllBytes(folder.resolve("pruned/model.safetensors"));
        HadoopFolder left = new HadoopFolder("test", folder.resolve("killed").toString(), Distillery.spark().sparkContext().hadoopConfiguration());
        ObjectNode provenance = (ObjectNode) new HadoopFolder("test", folder.resolve("pruned").toString(),
                Distillery.spark().sparkContext().hadoopConfiguration()).readJson("provenance.json");
        ObjectNode progress = HadoopFolder.JSON.createObjectNode();
        progress.set("identity", provenance.path("identity"));
        ObjectNode done = progress.putObject("progress");
        // What an earlier round measured is believed, not measured again: these figures are nobody's.
        ObjectNode removal = HadoopFolder.JSON.createObjectNode().put("layer", provenance.path("pruning").path("removals").path(0).path("layer").asInt()).put("kl", 17).put("seconds", 1);
        removal.putObject("candidates").put("0", 18);
        done.putArray("removals").add(removal);
        done.putArray("evenlySpaced");
        done.put("seconds", 100);
        left.writeJson("progress.json", progress);
        PruneSummary summary = prune("prune.layers=2", "prune.path=" + folder.resolve("killed"));
        assertEquals(17, summary.removals().get(0).kl());
        assertTrue(summary.seconds() > 100);
        assertArrayEquals(weights, Files.readAllBytes(folder.resolve("killed/model.safetensors")));
        assertFalse(Files.exists(folder.resolve("killed/progress.json")));
    }

    @Test
    void aModelWhoseProbabilitiesAreNotFiniteIsNotPruned() {
        float[] gain = new float[64];
        Arrays.fill(gain, Float.NaN);
        TinyLlama.gguf(9, SHAPE).tensor("output_norm.weight", new long[] {64}, gain).write(distillery.teacher());
        for (String cut : List.of("prune.layers=2", "prune.intermediate-size=40")) {
            UserException error = assertThrows(UserException.class, () -> prune(cut));
            assertTrue(error.getMessage().contains("not finite"), error.getMessage());
        }
        assertFalse(Files.exists(folder.resolve("pruned/model.safetensors")));
    }

    @Test
    void aFinishedModelStandsAndAnotherIsRefused() throws IOException {
        PruneSummary first = prune("prune.layers=3");
        var modified = Files.getLastModifiedTime(folder.resolve("pruned/model.safetensors"));
        Distillery.write(distillery.corpus().resolve("more.txt"), Distillery.text(77, 200));
        assertEquals(first, prune("prune.layers=3"));
        assertEquals(modified, Files.getLastModifiedTime(folder.resolve("pruned/model.safetensors")));
        assertTrue(assertThrows(UserException.class, () -> prune("prune.layers=2")).getMessage().contains("prune.layers is 2 now and was 3 then"));
    }

    @Test
    void aStudentBeginsWithThePrunedModelAndIsPrunedInTurn() {
        prune("prune.layers=4");
        new LabelJob(Distillery.spark(), distillery.settings()).run();
        // The shape is the pruned model's: this class's settings say another.
        String[] shape = {"student.init=" + folder.resolve("pruned"), "student.hidden-size=64", "student.intermediate-size=48",
            "student.layers=4", "student.heads=4", "student.kv-heads=2", "train.learning-rate=0.001"};
        new TrainJob(Distillery.spark(), distillery.settings(shape)).run();
        PruneSummary again = prune("prune.model=" + distillery.path("student"), "prune.layers=3", "prune.path=" + folder.resolve("again"));
        assertEquals(4, again.before().layers());
        assertEquals(3, again.after().layers());
        for (UserException error : List.of(assertThrows(UserException.class, () -> prune("prune.layers=3", "prune.path=" + distillery.path("student"))),
                assertThrows(UserException.class, () -> new TrainJob(Distillery.spark(), distillery.settings("student.path=" + folder.resolve("pruned"))).run()))) {
            assertTrue(error.problem().contains("cannot use the folder") && error.cause().contains("provenance.json, which this step did not write"), error.getMessage());
        }
    }

    @Test
    void aFolderThatHoldsAnotherModelIsLeftAlone() throws IOException {
        Path theirs = Files.createDirectories(folder.resolve("theirs"));
        Files.writeString(theirs.resolve("model.safetensors"), "precious");
        assertTrue(assertThrows(UserException.class, () -> prune("prune.layers=3", "prune.path=" + theirs)).getMessage().contains("did not write"));
        assertEquals("precious", Files.readString(theirs.resolve("model.safetensors")));
    }

    @Test
    void otherCalibrationIsAnotherModelAndAChangedCorpusEndsARunThatWasStopped() throws IOException {
        prune("prune.layers=3");
        assertTrue(assertThrows(UserException.class, () -> prune("prune.layers=3", "prune.calibration-tokens=300")).getMessage()
                .contains("prune.calibration-tokens is 300"));
        HadoopFolder killed = new HadoopFolder("test", folder.resolve("killed").toString(), Distillery.spark().sparkContext().hadoopConfiguration());
        ObjectNode progress = HadoopFolder.JSON.createObjectNode();
        progress.set("identity", HadoopFolder.JSON.readTree(folder.resolve("pruned/provenance.json").toFile()).path("identity"));
        progress.putObject("progress").put("seconds", 1).putArray("removals");
        ((ObjectNode) progress.path("progress")).putArray("evenlySpaced");
        killed.writeJson("progress.json", progress);
        Distillery.write(distillery.corpus().resolve("doc-0.txt"), Distillery.text(99, 150));
        Distillery.write(distillery.corpus().resolve("doc-1.txt"), Distillery.text(98, 150));
        Distillery.write(distillery.corpus().resolve("doc-2.txt"), Distillery.text(97, 150));
        assertTrue(assertThrows(UserException.class, () -> prune("prune.layers=3", "prune.path=" + folder.resolve("killed"))).getMessage()
                .contains("corpus has changed"));
    }

    @Test
    void theReportNeedsNoMoreThanTheFolderOfThePrunedModel() {
        assertEquals(folder.resolve("pruned/report/report.html").toString(), new Report(distillery.settings("student.path=", "cache.path=",
                "prune.path=" + folder.resolve("pruned")), Distillery.spark().sparkContext().hadoopConfiguration()).path().replace("file:", ""));
    }

    @Test
    void whatCannotBePrunedIsRefusedBeforeAnyWork() {
        for (String[] bad : new String[][] {{}, {"prune.layers=6"}, {"prune.layers=2", "prune.parameters=0.5"}, {"prune.kv-heads=3"}}) {
            assertThrows(UserException.class, () -> prune(bad));
        }
    }
}
