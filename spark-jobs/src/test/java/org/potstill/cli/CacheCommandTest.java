// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.cli.PotstillTest.Result;
import org.potstill.spark.Distillery;
import org.potstill.spark.label.LabelJob;

class CacheCommandTest {
    @TempDir
    private static Path folder;
    private static Distillery distillery;

    @BeforeAll
    static void label() {
        distillery = new Distillery(folder);
        new LabelJob(Distillery.spark(), distillery.settings()).run();
    }

    private static Result cache(String... args) {
        List<String> all = new ArrayList<>(List.of("cache"));
        all.addAll(List.of(args));
        for (String setting : List.of("cache.path=" + distillery.path("cache"), "teacher.device=cpu", "teacher.scratch=" + distillery.path("scratch"))) {
            all.addAll(List.of("--set", setting));
        }
        return PotstillTest.run(all.toArray(new String[0]));
    }

    @Test
    void inspectAsJsonSaysWhatItSaysToAPerson() throws Exception {
        Result person = cache("inspect");
        JsonNode machine = new ObjectMapper().readTree(cache("inspect", "--json").out());
        assertEquals(0, person.status());
        assertEquals(1, machine.size());
        assertTrue(person.out().contains(String.format("%,d keys and 0 duplicates; %,d positions", machine.get(0).path("keys").asLong(),
                machine.get(0).path("positions").asLong())), person.out());
        assertEquals("top-8", machine.get(0).path("provenance").path("targets").path("spec").asText());
    }

    @Test
    void inspectShowsOneSequence() throws Exception {
        String document = distillery.corpus().resolve("doc-0.txt").toUri().toString().replaceFirst("^file:/*", "file:/");
        Result byDocument = cache("inspect", "--document", document, "--sequence", "1", "--limit", "5");
        assertEquals(0, byDocument.status(), byDocument.err());
        assertTrue(byDocument.out().contains("target token") && byDocument.out().contains("--limit"), byDocument.out());
        JsonNode json = new ObjectMapper().readTree(cache("inspect", "--json", "--document", document).out());
        assertEquals(31, json.path("positions").size() - 1);
        assertEquals(2, cache("inspect", "--document", document, "--key", "00").status());
    }

    @Test
    void verifySaysByItsStatusWhetherAllIsWell() throws Exception {
        Result well = cache("verify", "--teacher", distillery.teacher().toString());
        assertEquals(0, well.status(), well.err());
        assertTrue(well.out().contains("scored again: 32 rows, of which 32"), well.out());
        Path torn;
        try (Stream<Path> files = Files.walk(distillery.path("cache"))) {
            torn = files.filter(f -> f.toString().endsWith(".parquet") && f.getParent().endsWith("labels")).sorted().findFirst().orElseThrow();
        }
        byte[] whole = Files.readAllBytes(torn);
        try {
            Files.write(torn, new byte[100]);
            Result damaged = cache("verify");
            assertEquals(2, damaged.status());
            assertTrue(damaged.out().contains(torn.getFileName().toString()), damaged.out());
            assertTrue(damaged.err().startsWith("potstill: the cache") && damaged.err().contains("run potstill label again"), damaged.err());
        } finally {
            Files.write(torn, whole);
        }
    }

    @Test
    void exportWritesATable() {
        Path table = folder.resolve("exported");
        Distillery.spark().sql("create table exported_labels (teacher string, spec string, document string, key string, tokens array<int>, targets binary, "
                + "teacher_loss float, teacher_entropy float) using parquet location '" + table + "'");
        Result first = cache("export", "--to-table", "exported_labels");
        assertEquals(0, first.status(), first.err());
        long rows = Distillery.spark().table("exported_labels").count();
        assertTrue(rows > 0 && first.out().contains(String.format("exported_labels: %,d new rows", rows)), first.out());
        assertTrue(cache("export", "--to-table", "exported_labels").out().contains(" 0 new rows"));
        assertEquals(rows, Distillery.spark().table("exported_labels").count());
        Result other = cache("export", "--to-table", "exported_labels", "--decoded");
        assertEquals(2, other.status());
        assertTrue(other.err().contains("other columns"), other.err());
    }

    @Test
    void cacheAloneIsWrongUsage() {
        Result result = PotstillTest.run("cache");
        assertEquals(2, result.status());
        assertTrue(result.err().contains("inspect") && result.err().contains("verify"), result.err());
    }
}
