// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;

class SettingsTextTest {
    private static List<UserException> findings(String text) {
        return SettingsText.findings(text, "a.conf");
    }

    @ParameterizedTest
    @ValueSource(strings = {"path = /data//c4", "path = /data/c#4", "path = //nas/c4", "path = #c4", "path = \"/data\"//c4", "path = ${base}//c4",
        "path = ${base}#c4", "corpus { path = /data//c4 }", "{ \"corpus\" : { path : /data//c4 } }", "tasks = [/data//c4]", "path = a\"b\"", "path = \"a\" \"b\"",
        "path = \"a\"b", "path = ${?BASE}/c4", "path = /data/${?BASE}", "path =\u00a0/data", "path = /data\u2003", "path += /data//c4", "path = /data/a,#4"})
    void aValueThatWouldBeReadOtherwiseIsRefusedByLine(String line) {
        List<UserException> found = findings("seed = 1\n\n# a comment\n" + line + "\n");
        assertEquals(1, found.size(), found.toString());
        assertTrue(found.get(0).problem().contains("line 4 of a.conf"), found.get(0).getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"path = \"/data//c4\" # four", "path = /data/c4 # four", "path = /data/c4 // four", "# path = /data//c4", "// path = /data//c4",
        "path = ${base}/c4", "path = ${base}\"/c#4\"", "path = \"\"\"a//\"b\n#c\"\"\"\"", "path = ${?BASE}",
        "corpus { # of ours\n path = x, format = text } # end", "a { b = 1 }// end", "{ a { b = 1 } }", "path = /data/c4\r", "list = [1, 2 # two\n, \"#\"]",
        "path =\n  \"/data\"", "spark { master = \"local[2]\", driver.memory = 6g }", "spark.\"speculation.interval\" = 1s\nspark.speculation = true", ""})
    void whatIsReadAsItStandsPasses(String text) {
        assertEquals(List.of(), findings(text + "\n"));
    }

    @Test
    void aValueThatALaterKeyWouldReplaceIsRefused() {
        UserException found = findings("spark.speculation = true\nspark { speculation.interval = 1s }\n").get(0);
        assertTrue(found.problem().contains("line 1") && found.remedy().contains("spark.\"speculation.interval\""), found.getMessage());
    }

    @Test
    void anyTextEndsTheScanAndFindsLittleOften() {
        assertTrue(findings("[".repeat(1_000_000)).size() <= 16);
        assertTrue(findings("a = {".repeat(100_000)).size() <= 16);
        assertTrue(findings("a=\u00a0".repeat(100_000)).size() <= 16);
        assertTrue(findings("\"".repeat(9_999)).size() <= 16);
    }
}
