package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;

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
        Settings settings = Settings.load(List.of(file.toString()), List.of("corpus.holdout=${train.alpha}"));
        assertEquals("/models/t.gguf", settings.string("student.init"));
        assertEquals(System.getProperty("java.io.tmpdir") + "/s", settings.string("student.path"));
        assertEquals(0.5, settings.real("corpus.holdout", 0, 1));
        assertTrue(settings.isGiven("student.init") && !settings.isGiven("student.heads") && settings.with("student.heads", 3).isGiven("student.heads"));
        assertFalse(settings.provenance().has("java"));
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(), List.of("student.path=${nothing}")));
        assertTrue(error.cause().contains("nothing") && !error.cause().contains(System.getProperty("java.home")), error.cause());
    }

    @Test
    void aKeyThatDoesNotExistIsRefusedWithTheNearestThatDoes() {
        UserException error = assertThrows(UserException.class, () -> Settings.load(List.of(), List.of("train.epoch=3")));
        assertTrue(error.getMessage().contains("unknown configuration key 'train.epoch'"));
        assertTrue(error.cause().contains("'train.epochs'"));
    }

    @Test
    void valuesOutOfBoundsOrOfAnotherTypeNameTheirKey() {
        Settings settings = Settings.load(List.of(), List.of("train.epochs=0", "train.alpha=much", "teacher.device=tpu"));
        assertTrue(assertThrows(UserException.class, () -> settings.integer("train.epochs", 1, 9)).problem().contains("train.epochs"));
        assertTrue(assertThrows(UserException.class, () -> settings.real("train.alpha", 0, 1)).problem().contains("train.alpha"));
        assertTrue(assertThrows(UserException.class, () -> settings.choice("teacher.device",
                org.potstill.teacher.TeacherOptions.Device.class)).cause().contains("cuda"));
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
    void aFileThatIsMissingOrNotHoconIsOneClearError() {
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(folder.resolve("none.conf").toString()), List.of()))
                .problem().contains("none.conf"));
        Distillery.write(folder.resolve("bad.conf"), "student { layers = ");
        assertTrue(assertThrows(UserException.class, () -> Settings.load(List.of(folder.resolve("bad.conf").toString()), List.of()))
                .problem().contains("bad.conf"));
    }
}
