// SPDX-License-Identifier: Apache-2.0
package org.potstill;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The structure that docs/architecture.md describes. */
class ArchitectureTest {
    /** Modules from the bottom to the top, by their packages. */
    private static final List<String> MODULES = List.of("errors", "softlabels", "jinja", "checkpoints", "nd4j", "kernels", "onnx", "teacher", "student", "spark");

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOptions(List.of(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS, location -> !location.contains("-tests.jar")))
            .importPackages("org.potstill");

    @Test
    void allModulesAreLookedAt() {
        for (String module : MODULES) {
            assertTrue(CLASSES.stream().anyMatch(c -> c.getPackageName().startsWith("org.potstill." + module)), module);
        }
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("org.potstill.(**)").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void modulesDependDownwardsOnly() {
        for (int i = 0; i < MODULES.size(); i++) {
            String[] above = MODULES.subList(i + 1, MODULES.size()).stream().map(module -> "org.potstill." + module + "..")
                    .toArray(String[]::new);
            if (above.length > 0) {
                noClasses().that().resideInAPackage("org.potstill." + MODULES.get(i) + "..").should().dependOnClassesThat()
                        .resideInAnyPackage(above).check(CLASSES);
            }
        }
        noClasses().that().resideInAPackage("org.potstill.teacher..").should().dependOnClassesThat()
                .resideInAPackage("org.potstill.student..").check(CLASSES);
        noClasses().that().resideInAPackage("org.potstill.student..").should().dependOnClassesThat()
                .resideInAPackage("org.potstill.teacher..").check(CLASSES);
    }

    @Test
    void onlyTheJobsKnowSpark() {
        noClasses().that().resideOutsideOfPackages("org.potstill.spark..", "org.potstill.cli..").should().dependOnClassesThat()
                .resideInAnyPackage("org.apache.spark..", "org.apache.hadoop..", "org.apache.parquet..", "scala..").check(CLASSES);
    }

    /** In some locales numbers have other digits, and names of files and keys that contain them would differ. */
    @Test
    void numbersLookTheSameInEveryLocale() {
        noClasses().should().callMethod(String.class, "format", String.class, Object[].class)
                .orShould().callMethod(String.class, "formatted", Object[].class).check(CLASSES);
    }

    /** Whoever asks first decides what ONNX Runtime logs. */
    @Test
    void oneClassMakesOnnxRuntimesEnvironment() {
        noClasses().that().doNotHaveFullyQualifiedName("org.potstill.onnx.OnnxRuntime").should()
                .callMethod("ai.onnxruntime.OrtEnvironment", "getEnvironment").check(CLASSES);
    }

    @Test
    void onlyGraphsKnowOnnx() {
        noClasses().that().resideInAPackage("org.potstill.checkpoints..").and()
                .resideOutsideOfPackages("org.potstill.checkpoints.graph..", "org.potstill.checkpoints.formats.onnx..").should()
                .dependOnClassesThat().resideInAnyPackage("onnx..", "org.nd4j..").check(CLASSES);
    }
}
