// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.settings.Settings;

class SparkSettingsTest {
    private static Settings settings(String... sets) {
        return Settings.load(List.of(), List.of(sets));
    }

    private static SparkConf applied(SparkConf submitted, String... sets) {
        SparkSettings.apply(settings(sets), submitted, "label", true);
        return submitted;
    }

    private static SparkConf submitted() {
        return new SparkConf(false).set("spark.master", "local[*]").set("spark.app.name", "org.potstill.cli.Potstill").set("spark.driver.memory", "4g")
                .set("spark.submit.deployMode", "client");
    }

    @ParameterizedTest
    @ValueSource(strings = {"spark.executor.memory=abc", "spark.sql.shuffle.partitions=0", "spark.sql.shuffle.partitions=many", "spark.task.maxFailures=1.5",
        "spark.network.timeout=soon", "spark.ui.port=x", "spark.ui.enabled=maybe", "spark.kryoserializer.buffer.max=x", "spark.reducer.maxSizeInFlight=abc",
        "spark.executor.cores=two", "spark.sql.session.timeZone=Nowhere", "spark.locality.wait=1parsec", "spark.ui.port=80000", "spark.blockManager.port=-1", "spark.driver.port=80"})
    void aValueThatSparkCannotUseIsRefusedBeforeItStarts(String set) {
        Settings settings = settings(set);
        UserException error = assertThrows(UserException.class, () -> settings.check(List.of(SparkSettings::check)));
        assertTrue(error.problem().contains(set.substring(0, set.indexOf('='))) && error.getMessage().lines().count() == 3, error.getMessage());
    }

    private static String culprit(Exception thrown, String... sets) {
        return SparkSettings.explain(settings(sets), thrown, true).map(error -> error.problem() + ": " + error.cause()).orElse("none");
    }

    @Test
    void aFailureToStartIsBlamedOnTheSettingThatItsMessageNamesOrWhoseValueIsInIt() {
        String[] sets = {"spark.scheduler.mode=x", "spark.scheduler=y", "spark.shuffle.manager=no.Such", "spark.eventLog.dir=/nope", "spark.task.cpus=1"};
        assertEquals("Spark cannot use the value of 'spark.scheduler.mode': Unrecognized spark.scheduler.mode: X",
                culprit(new SparkException("Unrecognized spark.scheduler.mode: X"), sets));
        assertEquals("Spark cannot use the value of 'spark.shuffle.manager': there is no class no.Such",
                culprit(new IllegalStateException(new ClassNotFoundException("no.Such")), sets));
        assertTrue(culprit(new FileNotFoundException("File file:/nope/x does not exist"), sets).contains("'spark.eventLog.dir'"));
        assertEquals("none", culprit(new FileNotFoundException("File file:/nope2 does not exist"), sets));
        assertEquals("none", culprit(new IllegalStateException("1 is too few"), sets));
    }

    @Test
    void aFailureToStartThatNothingExplainsListsTheSettingsThatWereMade() {
        UserException error = PlatformErrors.noSession(SparkSettings.given(settings("spark.driver.host=a")), new UnresolvedAddressException());
        assertTrue(error.cause().contains("UnresolvedAddressException") && error.remedy().contains("(spark.driver.host)"), error.getMessage());
    }

    @Test
    void aFolderOrPortForWhichSparkWouldEndTheProcessIsRefused(@TempDir Path folder) throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        SparkConf conf = new SparkConf(false).set("spark.ui.enabled", "false").set("spark.local.dir", file + "/x");
        assertTrue(assertThrows(UserException.class, () -> SparkSettings.requireFolderAndPort(conf)).problem().contains("spark.local.dir"));
        conf.set("spark.local.dir", file + "/x," + folder.resolve("made"));
        assertDoesNotThrow(() -> SparkSettings.requireFolderAndPort(conf));
        try (ServerSocket taken = new ServerSocket(0)) {
            conf.set("spark.ui.enabled", "true").set("spark.ui.port", String.valueOf(taken.getLocalPort())).set("spark.port.maxRetries", "0");
            UserException error = assertThrows(UserException.class, () -> SparkSettings.requireFolderAndPort(conf));
            assertTrue(error.getMessage().contains("'spark.ui.port'") && error.cause().contains("port " + taken.getLocalPort()), error.getMessage());
        }
        conf.set("spark.ui.port", "0");
        assertDoesNotThrow(() -> SparkSettings.requireFolderAndPort(conf));
    }

    @Test
    void whatSparkCanUseOrDoesNotKnowPasses() {
        Settings settings = settings("spark.executor.memory=4g", "spark.sql.shuffle.partitions=8", "spark.network.timeout=90", "spark.ui.port=0", "spark.driver.port=65535", "spark.hadoop.fs.s3a.secret.key=a/b",
                "spark.x=y", "spark.sql.warehouse.dir=", "spark.executor.memoryOverhead=${spark.x}");
        assertDoesNotThrow(() -> settings.check(List.of(SparkSettings::check)));
    }

    @Test
    void aLocalMasterOfTheSettingsHoldsUnlessSparkSubmitWasGivenAnother() {
        assertEquals("local[2]", applied(submitted(), "spark.master=local[2]").get("spark.master"));
        assertEquals("local[*]", applied(submitted()).get("spark.master"));
        assertEquals("yarn", applied(submitted().set("spark.master", "yarn"), "spark.master=local[2]").get("spark.master"));
        assertEquals("spark://a:7077", applied(new SparkConf(false), "spark.master=spark://a:7077").get("spark.master"));
        for (String master : List.of("yarn", "spark://a:7077", "k8s://https://a")) {
            UserException error = assertThrows(UserException.class, () -> applied(submitted(), "spark.master=" + master));
            assertTrue(error.remedy().contains("POTSTILL_SUBMIT=\"--master " + master), error.getMessage());
        }
    }

    @Test
    void theApplicationIsNamedAfterTheCommandUnlessItHasAName() {
        assertEquals("potstill label", applied(submitted()).get("spark.app.name"));
        assertEquals("mine", applied(submitted(), "spark.app.name=mine").get("spark.app.name"));
        assertEquals("theirs", applied(submitted().set("spark.app.name", "theirs"), "spark.app.name=mine").get("spark.app.name"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"spark.driver.memory=6g", "spark.driver.extraJavaOptions=-Da", "spark.driver.extraClassPath=/a", "spark.submit.deployMode=cluster",
        "spark.jars=/a.jar", "spark.jars.packages=a:b:1", "spark.jars.repositories=x", "spark.driver.cores=2", "spark.kerberos.keytab=/k"})
    void whatSparkSubmitActsOnBeforeTheDriverStartsIsRefused(String set) {
        UserException error = assertThrows(UserException.class, () -> applied(submitted(), set));
        assertTrue(error.problem().contains(set.substring(0, set.indexOf('='))) && error.remedy().contains("deploy/potstill"), error.getMessage());
    }

    @Test
    void whatSparkSubmitWasGivenAlreadyPasses() {
        assertDoesNotThrow(() -> applied(submitted(), "spark.driver.memory=4g", "spark.submit.deployMode=client", "spark.speculation=true"));
    }
}
