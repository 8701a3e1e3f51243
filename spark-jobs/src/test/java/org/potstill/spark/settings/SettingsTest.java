// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.io.Precision;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.storage.HadoopFolder;

class SettingsTest {
    @TempDir
    private Path folder;

    @Test
    void theCommandLineStandsAboveTheFileAndTheFileAboveTheDefaults() {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, "student { layers = 7, heads = 8 }\n");
        Settings settings = Settings.load(List.of(file.toString()), List.of("student.heads=2", "student.heads = 16"));
        assertEquals(7, settings.integer("student.layers", 1, 100));
        assertEquals(16, settings.integer("student.heads", 1, 100));
        assertEquals(256, settings.integer("student.hidden-size", 1, 10_000));
    }

    @Test
    void ofSeveralFilesALaterStandsAboveTheEarlier() {
        Distillery.write(folder.resolve("size.conf"), "student { layers = 7, heads = 8 }\ntrain.alpha = 0.25\n");
        Distillery.write(folder.resolve("own.conf"), "student.heads = 16\ntrain.final-alpha = ${train.alpha}\n");
        Settings settings = Settings.load(List.of(folder.resolve("size.conf").toString(), folder.resolve("own.conf").toUri().toString()),
                List.of());
        assertEquals(7, settings.integer("student.layers", 1, 100));
        assertEquals(16, settings.integer("student.heads", 1, 100));
        assertEquals(0.25, settings.real("train.final-alpha", 0, 1));
        assertTrue(settings.isGiven("student.layers") && settings.isGiven("student.heads"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"size.conf\"", "required(\"size.conf\")", "file(\"size.conf\")", "url(\"file:size.conf\")",
        "\"http://127.0.0.1/size.conf\"", "classpath(\"size.conf\")", "required(classpath(\"size.conf\"))"})
    void anIncludeIsRefusedRatherThanReadPast(String include) {
        Path file = folder.resolve("own.conf");
        Distillery.write(file, "student {\n  include " + include + "\n}\n");
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of()));
        assertTrue(error.problem().contains("size.conf") && error.remedy().contains("--conf"), error.getMessage());
    }

    @Test
    void aValueMayBeThatOfAnotherSettingOrOfASystemProperty() {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, "teacher.path = \"/models/t.gguf\"\nstudent { init = ${teacher.path}, path = ${java.io.tmpdir}/s }\n");
        Distillery.write(folder.resolve("b.conf"), "corpus.holdout=${train.alpha}");
        Settings settings = Settings.load(List.of(file.toString(), folder.resolve("b.conf").toString()), List.of());
        assertEquals("/models/t.gguf", settings.string("student.init"));
        assertEquals(System.getProperty("java.io.tmpdir") + "/s", settings.string("student.path"));
        assertEquals(0.5, settings.real("corpus.holdout", 0, 1));
        assertTrue(settings.isGiven("student.init") && !settings.isGiven("student.heads") && settings.with("student.heads", 3).isGiven("student.heads"));
        assertFalse(settings.provenance().has("java"));
        Distillery.write(file, "student.path=${nothing}");
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of()));
        assertTrue(error.cause().contains("nothing") && !error.cause().contains(System.getProperty("java.home")), error.cause());
    }

    @Test
    void aKeyThatDoesNotExistIsRefusedWithTheNearestThatDoes() {
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(), List.of("train.epoch=3")));
        assertTrue(error.getMessage().contains("unknown configuration key 'train.epoch'"));
        assertTrue(error.cause().contains("'train.epochs'"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"targets.k\" = 8", "{\"targets.k\": 8}", "targets { \"k.x\" = 8 }", "\"spark.executor.memory\" = 4g", "\"spark.executor\".memory = 4g",
        "\"evaluate.corpora.a\" = x", "\"evaluate.corpora\".a = x", "\"no.such\" = 1", "\"targets.k\" {}", "none {}", "train { none {} }", "spark.executor.memory {}",
        "spark.executor.memory = 4g\nspark.\"executor.memory\" = 6g"})
    void aKeyThatNoCommandReadsIsRefusedByLine(String text) {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, text + "\n");
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of()));
        assertTrue(error.getMessage().contains("a.conf: 1") || !text.contains(".") || text.contains("spark.\""), error.getMessage());
    }

    @Test
    void quotesAroundOneNameOfAKeyChangeNothing() {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, "targets.\"k\" = 8\n\"targets\".draws = 3\nspark.\"executor.memory\" = 4g\n\"spark\" { \"executor\".cores = 2 }\n\"evaluate\".corpora.\"a.b\" = x\n");
        Settings settings = Settings.load(List.of(file.toString()), List.of("\"train\".epochs=3"));
        assertEquals("8 3 4g 2 x 3", String.join(" ", settings.string("targets.k"), settings.string("targets.draws"), settings.spark().get("spark.executor.memory"),
                settings.spark().get("spark.executor.cores"), settings.texts("evaluate.corpora").get("a.b"), settings.string("train.epochs")));
    }

    @Test
    void aSectionTakesNoValueAndTheMessageNamesItsSettings() {
        for (String section : List.of("corpus", "student.rope-scaling", "evaluate.tasks", "spark")) {
            UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(), List.of(section + "=x")));
            assertTrue(error.remedy().contains("--set " + section + "."), error.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {33, 5_000, 1_000_000})
    void aKeyOrReferenceOfAnyDepthIsRefused(int levels) {
        Path file = folder.resolve("a.conf");
        String deep = "a" + ".a".repeat(levels - 1);
        for (String text : List.of(deep + " = 1", "spark { " + deep + " = 1 }", "student.path = ${" + deep + "}", "student.path = ${?" + deep + "}")) {
            Distillery.write(file, text + "\n");
            assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of())).getMessage().length() < 2_000);
        }
        for (String set : List.of(deep + "=1", "spark." + deep + "=1", "evaluate.corpora={ a = ${" + deep + "} }")) {
            assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(), List.of(set))).getMessage().length() < 2_000);
        }
    }

    @Test
    void aLongChainOfReferencesIsReadOrRefused() {
        Path file = folder.resolve("a.conf");
        StringBuilder chain = new StringBuilder("spark.x10000 = 1\n");
        for (int i = 0; i < 10_000; i++) {
            chain.append("spark.x").append(i).append(" = ${spark.x").append(i + 1).append("}\n");
        }
        Distillery.write(file, chain.toString());
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of()));
        assertTrue(error.cause().contains("refer"), error.getMessage());
    }

    @Test
    void aValueFromTheCommandLineIsQuotedAsWritten() {
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(), List.of("sequence-length=32.5")));
        assertEquals("'32.5' is not a whole number", error.cause());
    }

    @Test
    void valuesOutOfBoundsNameTheirKey() {
        Settings settings = Settings.load(List.of(), List.of("train.epochs=0", "train.alpha=2", "teacher.device=tpu"));
        assertTrue(assertThrows(UserException.class, () -> settings.integer("train.epochs", 1, 9)).problem().contains("train.epochs"));
        assertTrue(assertThrows(UserException.class, () -> settings.real("train.alpha", 0, 1)).problem().contains("train.alpha"));
        assertTrue(assertThrows(UserException.class, () -> settings.choice("teacher.device",
                org.potstill.teacher.scoring.TeacherOptions.Device.class)).cause().contains("cuda"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"train.alpha=much", "train.alpha=1d", "train.alpha=NaN", "train.alpha=1e999", "train.epochs=1.5", "train.epochs=1e999999999",
        "train.epochs=", "seed=9223372036854775808", "seed=9007199254740993.0", "evaluate.ngrams=yes", "evaluate.ngrams=True", "student=3",
        "evaluate.corpora=x", "evaluate.corpora.a=", "evaluate.corpora.a.b=x", "evaluate.corpora={ a = [x] }", "spark=local", "evaluate.tasks={ a = /data//x }",
        "student.path=\"a\" b\"", "student..path=x", "train.epochs=[3]"})
    void aValueOfAnotherKindIsRefusedWhenItIsRead(String set) {
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(), List.of(set)));
        assertTrue(error.getMessage().contains(set.substring(0, set.indexOf('=')).replace("a.b", "a")), error.getMessage());
    }

    @Test
    void allThatCannotBeUsedIsToldAtOnceWithItsLine() {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, "train {\n  epochs = many\n  alpha = []\n  epoch = 1\n}\ncorpus.text-field = null\n");
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of("evaluate.ngrams=maybe")));
        for (String part : List.of("5 settings", "train.epochs", "a.conf: 2", "train.alpha", "a.conf: 3", "'train.epoch'", "corpus.text-field", "a.conf: 6",
                "evaluate.ngrams")) {
            assertTrue(error.getMessage().contains(part), part + " in " + error.getMessage());
        }
    }

    @Test
    void whatAFileSaysOtherwiseThanItStandsIsRefusedByLine() {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, "seed = 7\ncorpus.path = /data//c4\ncache.path = /data/c#4\n");
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of()));
        assertTrue(error.getMessage().contains("line 2 of " + file) && error.getMessage().contains("line 3 of " + file), error.getMessage());
        Distillery.write(file, new byte[] {'a', '=', (byte) 0xe9});
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(file.toString()), List.of())).cause().contains("UTF-8"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/data//c4", "/data/c#4", "[INST]", "null", "{a,b}", "${HOME}", "$BASE/c4", "a\\nb", "a\nb\n", " a ", "", "'a'", "\"", "été 日本 😀",
        "### Response:\n", "a = b", "true", "1e3", "include x", "\u00a0", "//"})
    void aTextOnTheCommandLineIsWhatStandsThere(String text) {
        Settings settings = Settings.load(List.of(), List.of("train.response-start=" + text, "evaluate.corpora.a=x" + text));
        assertEquals(text, settings.string("train.response-start"));
        assertEquals("x" + text, settings.texts("evaluate.corpora").get("a"));
    }

    @Test
    void aTextInDoubleQuotesOnTheCommandLineIsJson() {
        assertEquals("local[1]", Settings.load(List.of(), List.of("spark.master=\"local[1]\"")).spark().get("spark.master"));
        assertEquals("a\n\"b\" é", Settings.load(List.of(), List.of("train.response-end=\"a\\n\\\"b\\\" \\u00e9\"")).string("train.response-end"));
        assertEquals("x", Settings.load(List.of(), List.of("evaluate.tasks={ a = \"x\" }")).texts("evaluate.tasks").get("a"));
    }

    /** Ten thousand texts of what HOCON, shells and JSON take for something, each on the command line and, by turns, unquoted or quoted in a file. */
    @Test
    void whatIsReadIsWhatWasWrittenOrRefused() throws IOException {
        String[] pieces = {"\"", "'", "#", "//", "/", "[", "]", "{", "}", "$", "${", "${?x}", "\n", "\\n", "\\", "=", ":", ",", "+=", " ", "\t", "é", "日", "😀", "\u00a0",
            "null", "true", "1.0", "1e5", "-", "a", "data", "s3a://", "include ", "\"\"\"", "*", "?", "&", "`", "<|im_start|>", "\uFEFF", "\r"};
        Random random = new Random(15);
        Path file = folder.resolve("fuzz.conf");
        int read = 0;
        for (int n = 0; n < 4_000; n++) {
            StringBuilder built = new StringBuilder();
            for (int i = random.nextInt(7); i >= 0; i--) {
                built.append(pieces[random.nextInt(pieces.length)]);
            }
            String text = built.toString();
            String key = n % 2 == 0 ? "train.response-start" : "corpus.path";
            try {
                String got = Settings.load(List.of(), List.of(key + "=" + text)).string(key);
                boolean quoted = text.strip().length() > 1 && text.strip().startsWith("\"") && text.strip().endsWith("\"");
                assertTrue(got.equals(text) || quoted && HadoopFolder.JSON.readTree(text).textValue().equals(got), text);
                read++;
            } catch (UserException e) {
                assertTrue(text.strip().startsWith("\"") && text.strip().endsWith("\""), e.getMessage());
            }
            String written = n % 4 < 2 ? text : HadoopFolder.JSON.writeValueAsString(text);
            Files.writeString(file, key + " = " + written + "\n");
            try {
                String got = Settings.load(List.of(file.toUri().toString()), List.of()).string(key);
                assertTrue(asWritten(written, got), "'" + written + "' is read as '" + got + "'");
                read++;
            } catch (UserException e) {
                assertTrue(n % 4 < 2, written + " is refused: " + e.getMessage());
            }
        }
        assertTrue(read > 5_600, "only " + read + " of 8,000 are read");
    }

    /**
     * An unquoted value ends, by HOCON's rules, before a blank and a comment, a comma and the line's end; a reference that may be
     * missing leaves the default.
     */
    private static boolean asWritten(String written, String got) throws IOException {
        String value = written.strip();
        if (value.startsWith("\"\"\"")) {
            return value.contains(got);
        }
        if (value.startsWith("\"")) {
            return HadoopFolder.JSON.readTree(value).textValue().equals(got);
        }
        String first = value.split("\n", 2)[0].replaceFirst("(?s)[ \t\r](#|//).*", "").replaceFirst("[\\s,]+$", "");
        return first.equals(got) || first.matches("\\$\\{\\?.*}") && got.isEmpty();
    }

    @Test
    void anEmptyRequiredValueIsMissing() {
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(), List.of()).required("cache.path"))
                .problem().contains("cache.path"));
    }

    @Test
    void pathsWithColonsNeedNoQuotes() {
        assertEquals("s3a://lake/a b", Settings.load(List.of(), List.of("corpus.path=s3a://lake/a b")).string("corpus.path"));
    }

    @Test
    void sparkSettingsPassThroughAndStayOutOfProvenance() {
        Settings settings = Settings.load(List.of(), List.of("spark.hadoop.fs.s3a.secret.key=hush", "spark.task.cpus=2"));
        assertEquals("2", settings.spark().get("spark.task.cpus"));
        assertEquals("hush", settings.spark().get("spark.hadoop.fs.s3a.secret.key"));
        assertFalse(settings.provenance().toString().contains("hush"));
    }

    @Test
    void aSparkSettingBelowAnotherReplacesItNot() {
        Path file = folder.resolve("a.conf");
        Distillery.write(file, "spark { locality.wait.node = 1s, speculation = true }\n");
        Settings settings = Settings.load(List.of(file.toString()), List.of("spark.speculation.interval=2s", "spark.x=1.10"));
        assertEquals("0s", settings.spark().get("spark.locality.wait"));
        assertEquals("1s", settings.spark().get("spark.locality.wait.node"));
        assertEquals("true", settings.spark().get("spark.speculation"));
        assertEquals("2s", settings.spark().get("spark.speculation.interval"));
        assertEquals("1.10", settings.spark().get("spark.x"));
    }

    @Test
    void aFileThatIsMissingOrNotHoconIsOneClearError() {
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(folder.resolve("none.conf").toString()), List.of()))
                .problem().contains("none.conf"));
        Distillery.write(folder.resolve("bad.conf"), "student { layers = ");
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(folder.resolve("bad.conf").toString()), List.of()))
                .problem().contains("bad.conf"));
    }

    @Test
    void aFractionWhoseDefaultIsWrittenAsOneTakesOthers() {
        for (String key : List.of("prune.parameters", "train.outer-learning-rate", "train.max-gradient-norm", "student.rope-scaling.factor",
                "train.outer-momentum", "train.max-loss-beyond-chance")) {
            assertEquals(0.7, Settings.load(List.of(), List.of(key + "=0.7")).real(key, 0, 1));
        }
    }

    @Test
    void oneOfSeveralTeachersHasItsOwnSettingsAndTheCommonOnes() {
        Path file = folder.resolve("teachers.conf");
        Distillery.write(file, """
                corpus { table = docs, where = "lang = 'en'" }
                teacher { precision = int8, threads = 3 }
                teachers {
                  code { path = /code, where = "domain = 'code'" }
                  7b { path = /seven, precision = fp32, threads = 4 }
                  maths { where = "domain = 'maths'" }
                }
                """);
        Settings settings = Settings.load(List.of(file.toString()), List.of("teachers.maths.path=/maths", "teachers.7b.threads=2"));
        settings.check(List.of(TeacherSections::check));
        assertEquals(List.of("7b", "code", "maths"), settings.teachers());
        assertTrue(settings.has("teacher.path"));
        Settings code = settings.ofTeacher("code");
        assertEquals("/code int8 3", String.join(" ", code.string("teacher.path"), code.string("teacher.precision"), code.string("teacher.threads")));
        assertEquals("(lang = 'en') and (domain = 'code')", code.string("corpus.where"));
        assertEquals(List.of(), code.teachers());
        Settings rest = settings.ofTeacher("7b");
        assertEquals("/seven fp32 2", String.join(" ", rest.string("teacher.path"), rest.string("teacher.precision"), rest.string("teacher.threads")));
        assertEquals("(lang = 'en') and (not coalesce((domain = 'code') or (domain = 'maths'), false))", rest.string("corpus.where"));
        assertEquals("/maths", settings.given().get("teachers.maths.path"));
        assertEquals("/seven", rest.given().get("teacher.path"));
        assertEquals("domain = 'code'", settings.provenance().path("teachers").path("code").path("where").asText());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "teachers.code.paths=x | did you mean 'teachers.code.path'",
        "teachers.code.threads=many | 'many' is not a whole number",
        "teachers.code.scratch=/x | unknown configuration key 'teachers.code.scratch'",
        "teachers.path=/x | 'teachers.path' is a section",
        "teachers=/x | such as teachers.NAME.path",
        "teachers={ \"a b\" { path = x } } | 'a b' is not a name",
        "teachers={ a { path = x }, b { where = y } } | 'teachers.b.path' is not set",
        "teachers={ a { path = x }, b { path = y } } | like that of a",
        "teachers.a.path=~/x | only shells expand",
        "teachers.a.precision=int9 | 'teachers.a.precision'"})
    void badSectionsOfTeachersAreRefused(String set, String message) {
        UserException error = assertThrows(UserException.class, () -> check(set));
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }

    private static void check(String set) {
        Settings.load(List.of(), List.of(set)).check(List.of(TeacherSections::check, all -> PathSettings.check(all, Map.of()),
                all -> all.teachers().forEach(name -> all.ofTeacher(name).choice("teacher.precision", Precision.class))));
    }

    @Test
    void oneTeacherAndSeveralExcludeEachOther() {
        Settings settings = Settings.load(List.of(), List.of("teacher.path=/x", "teacher.url=http://h/v1", "teachers.a.path=/a"));
        UserException error = assertThrows(UserException.class, () -> settings.check(List.of(TeacherSections::check)));
        assertTrue(error.cause().contains("'teacher.path'") && error.cause().contains("'teacher.url'"), error.getMessage());
        assertEquals("/y", settings.withTeacher("/y").string("teacher.path"));
        assertEquals(List.of(), settings.withTeacher("/y").teachers());
    }
}
