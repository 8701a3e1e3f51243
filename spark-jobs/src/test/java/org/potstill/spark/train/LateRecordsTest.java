// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.averaging.Stretch;

class LateRecordsTest {
    private static final ObjectNode IDENTITY = HadoopFolder.JSON.createObjectNode().put("seed", "42");
    private static final Stretch FIRST = new Stretch(0, 0, 4);
    private static final Stretch SECOND = new Stretch(0, 5, 9);

    @TempDir
    private Path folder;

    private LateRecords records(ObjectNode identity) {
        return new LateRecords(new HadoopFolder("student", folder.toString(), new Configuration()), identity, 3);
    }

    private void record() {
        LateRecords records = records(IDENTITY);
        records.of(FIRST).addAll(List.of(List.of(2), List.of()));
        records.save();
        records.of(SECOND).add(List.of(0));
        records.save();
    }

    private List<String> files() throws Exception {
        try (Stream<Path> files = Files.list(folder.resolve("checkpoints/late"))) {
            return files.map(file -> file.getFileName().toString()).filter(name -> !name.endsWith(".crc")).sorted().toList();
        }
    }

    @Test
    void aRunThatResumesFindsWhatWasRecorded() throws Exception {
        record();
        assertEquals(List.of("epoch-0001-round-00000000.json", "epoch-0001-round-00000005.json"), files());
        LateRecords again = records(IDENTITY);
        assertEquals(List.of(List.of(2), List.of()), again.of(FIRST));
        again.of(FIRST).add(List.of(1));
        assertEquals(List.of(List.of(2), List.of(), List.of(1)), again.of(FIRST));
        again.save();
        assertEquals(List.of(List.of(2), List.of(), List.of(1)), records(IDENTITY).of(FIRST));
        assertEquals(2, again.all().size());
        assertEquals("[[0]]", again.all().get(1).path("late").toString());
    }

    /** Other rounds between copies, or another run: what follows is another history. */
    @Test
    void aStretchWithoutRecordMakesLaterOnesVoid() throws Exception {
        record();
        assertEquals(List.of(), records(IDENTITY).of(new Stretch(0, 2, 4)));
        assertEquals(List.of("epoch-0001-round-00000000.json"), files());
        record();
        ObjectNode other = HadoopFolder.JSON.createObjectNode().put("seed", "43");
        assertEquals(0, records(other).all().size());
        assertEquals(List.of(), records(other).of(FIRST));
        assertEquals(List.of(), files());
    }

    /** Nobody; an unknown worker; one twice; after all rounds are done. */
    @ParameterizedTest
    @ValueSource(strings = {"[[0,1,2]]", "[[3]]", "[[-1]]", "[[\"a\"]]", "[[1,1]]", "[[],[],[],[],[]]", "[[0],[0],[0],[0],[1]]"})
    void aDamagedRecordIsRefused(String late) throws Exception {
        record();
        Path file = folder.resolve("checkpoints/late").resolve(files().get(0));
        Files.writeString(file, HadoopFolder.JSON.readTree(file.toFile()).<ObjectNode>require().set("late", HadoopFolder.JSON.readTree(late)).toString());
        UserException error = assertThrows(UserException.class, () -> records(IDENTITY).of(FIRST));
        assertTrue(error.getMessage().contains("cannot have closed without"), error.getMessage());
    }
}
