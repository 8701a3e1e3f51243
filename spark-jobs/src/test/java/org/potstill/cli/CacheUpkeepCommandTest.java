// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.label.LabelJob;
import picocli.CommandLine;

class CacheUpkeepCommandTest {
    @TempDir
    private Path folder;
    private String cache;

    @BeforeEach
    void label() {
        Distillery distillery = new Distillery(folder);
        cache = distillery.path("cache").toString();
        new LabelJob(Distillery.spark(), distillery.settings()).run();
        new LabelJob(Distillery.spark(), distillery.settings("targets.k=4")).run();
    }

    private String run(Object command, int status, String... options) {
        StringWriter out = new StringWriter();
        CommandLine line = new CommandLine(command).setOut(new PrintWriter(out)).setErr(new PrintWriter(out));
        String[] all = new String[options.length + 2];
        all[0] = "--set";
        all[1] = "cache.path=" + cache;
        System.arraycopy(options, 0, all, 2, options.length);
        assertEquals(status, line.execute(all), out::toString);
        return out.toString();
    }

    private int files(int k) {
        return LabelStores.find(Distillery.spark(), cache, TargetSpec.topK(k), null).files().size();
    }

    @Test
    void compactAndPruneGoThroughAllThatACacheHoldsOrSomeOfIt() {
        int before = files(4);
        String one = run(new CacheCompactCommand(), 0, "--spec", "top-8");
        assertTrue(one.contains("/spec=top-8: ") && one.contains("→ 1 files"), one);
        assertEquals(1, files(8));
        assertEquals(before, files(4));
        String both = run(new CacheCompactCommand(), 0, "--target-mib=256");
        assertEquals(2, both.split("→ 1 files", -1).length - 1, both);
        assertEquals(1, files(4));
        String counted = run(new CachePruneCommand(), 0, "--dry-run");
        assertTrue(counted.contains("; 0 files of 0 bytes deleted"), counted);
        String deleted = run(new CachePruneCommand(), 0, "--retention-hours=0", "--spec", "top-4");
        assertTrue(deleted.contains("; " + before + " files of ") && !deleted.contains("top-8"), deleted);
    }

    @Test
    void whatIsNotThereAndWhatCannotBeIsRefused() {
        assertTrue(run(new CachePruneCommand(), 1, "--teacher", "ff").contains("holds no matching soft labels"));
        assertTrue(run(new CacheCompactCommand(), 1, "--target-mib=0").contains("--target-mib"));
        assertNotEquals("", run(new CachePruneCommand(), 0, "--help"));
    }
}
