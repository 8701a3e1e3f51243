// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.cli.Potstill;
import org.potstill.spark.Distillery;
import org.potstill.spark.MemoryNeed;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.settings.Settings;

class TrainingMemoryTest {
    private static final long MIB = 1 << 20;

    @TempDir
    private Path folder;
    private Settings settings;

    /** Of 19 million parameters: the state is nearly half of the heap. */
    @BeforeEach
    void label() {
        settings = new Distillery(folder).settings("student.hidden-size=512", "student.intermediate-size=1024", "student.layers=8",
                "student.heads=8", "student.kv-heads=4", "train.workers=1", "train.local-steps=4", "train.checkpoint-rounds=1", "corpus.holdout=0.7");
        new LabelJob(Distillery.spark(), settings).run();
    }

    private long reckonedHeap(String... overrides) {
        Settings all = settings;
        for (int i = 0; i < overrides.length; i += 2) {
            all = all.with(overrides[i], overrides[i + 1]);
        }
        CausalLmConfig config = StudentShape.of(all, TinyLlama.config().vocabSize());
        return MemoryNeed.HEAP + TrainingMemory.of(new JavaSparkContext(Distillery.spark().sparkContext()), TrainingSettings.resolved(all), config,
                Integer.parseInt(all.string("train.workers")), 1000).localHeap();
    }

    @Test
    void theReckonedHeapSufficesAndASmallerOneIsRefusedBeforeAnyWork() throws Exception {
        long reckoned = reckonedHeap();
        assertTrue(reckoned > 800 * MIB && reckoned < 1100 * MIB, reckoned + " bytes");
        String refused = train(reckoned / 5 * 4, 2);
        assertTrue(refused.contains("potstill: training 19 million parameters needs about 1.0 GiB of heap on the driver, which has 0.8"), refused);
        assertTrue(refused.contains("set POTSTILL_MEMORY=1g"), refused);
        assertTrue(Files.notExists(folder.resolve("student/checkpoints")));
        String trained = train(reckoned, 0);
        assertTrue(trained.contains("trained 19,"), trained);
        assertTrue(trained.contains("memory: driver heap 1.0 GiB, needs about 1.0; outside the heap about "), trained);
    }

    /** What it prints, in a process of its own. */
    private String train(long heap, int status) throws IOException, InterruptedException {
        Path conf = Files.writeString(folder.resolve("train.json"), settings.provenance().toString());
        Path log = folder.resolve("log");
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx" + heap / MIB + "m"));
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream().filter(option -> option.startsWith("--add-")).forEach(command::add);
        command.add("-Dlog4j2.configurationFile=" + Path.of("../conf/log4j2.properties").toUri());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Potstill.class.getName(), "train", "--conf", conf.toString(),
                "--set", "spark.master=local[1]", "--set", "spark.ui.enabled=false", "--set", "spark.driver.bindAddress=127.0.0.1",
                "--set", "spark.driver.host=127.0.0.1"));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        try {
            assertTrue(process.waitFor(10, TimeUnit.MINUTES), () -> read(log));
            assertEquals(status, process.exitValue(), () -> read(log));
            return read(log);
        } finally {
            process.destroyForcibly();
        }
    }

    private static String read(Path log) {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
