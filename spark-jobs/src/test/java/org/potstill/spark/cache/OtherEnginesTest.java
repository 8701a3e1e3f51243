// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.label.LabelJob;

/** DuckDB, which has a Parquet reader of its own, on a cache that the label job wrote. */
class OtherEnginesTest {
    @TempDir
    private Path folder;

    @Test
    void everyColumnReadsAsWeReadItAndFiltersWork() throws SQLException {
        Distillery distillery = new Distillery(folder);
        new LabelJob(Distillery.spark(), distillery.settings("targets.k=0", "targets.draws=20")).run();
        LabelStore store = LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), TargetSpec.systematic(20, 0), null);
        Map<String, LabelledSequence> rows = new HashMap<>();
        store.sequences().collect().forEach(row -> rows.put(row.key(), row));

        String files = "read_parquet('" + Path.of(URI.create(store.labelsPath())) + "/*.parquet')";
        try (Connection duck = DriverManager.getConnection("jdbc:duckdb:"); Statement statement = duck.createStatement()) {
            int read = 0;
            try (ResultSet all = statement.executeQuery(
                    "SELECT document, key, tokens, targets, teacher_loss, teacher_entropy FROM " + files)) {
                while (all.next()) {
                    LabelledSequence row = rows.get(all.getString(2));
                    assertNotNull(row);
                    assertEquals(row.document(), all.getString(1));
                    assertArrayEquals(row.tokens(), Stream.of((Object[]) all.getArray(3).getArray())
                            .mapToInt(id -> (Integer) id).toArray());
                    assertArrayEquals(row.targets(), all.getBytes(4));
                    assertEquals(row.teacherLoss(), all.getFloat(5));
                    assertEquals(row.teacherEntropy(), all.getFloat(6));
                    read++;
                }
            }
            assertEquals(rows.size(), read);
            String where = " WHERE teacher_entropy > 1 AND teacher_loss < 100 AND document LIKE '%.txt'";
            long expected = rows.values().stream().filter(row -> row.teacherEntropy() > 1 && row.teacherLoss() < 100).count();
            try (ResultSet some = statement.executeQuery("SELECT count(*), sum(len(tokens) - 1) FROM " + files + where)) {
                assertTrue(some.next());
                assertEquals(expected, some.getLong(1));
                assertTrue(some.getLong(2) > 0);
            }
        }
    }
}
