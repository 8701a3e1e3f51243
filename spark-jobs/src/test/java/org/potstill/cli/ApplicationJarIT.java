// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;

/** What the application jar contains, and what it leaves out. */
class ApplicationJarIT {
    private static final Path JAR = Path.of(System.getProperty("potstill.jar"));
    private static final long MAX_BYTES = 167_000_000;

    /** Spark's class loader comes first: of two versions, a mixture would run. */
    @Test
    void noClassIsAlsoInSparksJars() throws IOException {
        Set<String> own = new HashSet<>(names(JAR));
        own.removeIf(name -> !name.endsWith(".class") || name.startsWith("META-INF/"));
        List<String> twice = new ArrayList<>();
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(Path.of(System.getProperty("spark.home"), "jars"), "*.jar")) {
            for (Path jar : jars) {
                names(jar).stream().filter(own::contains).forEach(name -> twice.add(jar.getFileName() + ": " + name));
            }
        }
        assertEquals(List.of(), twice);
    }

    @Test
    void nativeLibrariesAreForLinuxOnX86() throws IOException {
        List<String> natives = names(JAR).stream().filter(name -> name.matches(".*\\.(so(\\.\\d+)*|a|dll|dylib|jnilib)")).toList();
        assertTrue(natives.size() > 5, natives.toString());
        assertEquals(List.of(), natives.stream().filter(name -> !name.matches("(?i).*/linux[-/]x(86[-_])?64/.*")).toList());
    }

    @Test
    void licencesAndNoticesOfLibrariesAreKept() throws IOException {
        try (ZipFile jar = new ZipFile(JAR.toFile())) {
            String licence = text(jar, "META-INF/LICENSE");
            assertTrue(licence.stripLeading().startsWith("Apache License"), licence);
            String notice = text(jar, "META-INF/NOTICE");
            assertTrue(notice.startsWith("Potstill"), notice);
            assertTrue(notice.contains("Jackson"), notice);
            for (String library : List.of("META-INF/LICENSE.txt", "META-INF/AL2.0", "META-INF/LGPL2.1", "ThirdPartyNotices.txt")) {
                assertTrue(text(jar, library).length() > 1000, library);
            }
        }
    }

    @Test
    void theJarStaysSmall() throws IOException {
        assumeTrue(names(JAR).stream().noneMatch(name -> name.endsWith("libnd4jcuda.so")), "without CUDA");
        assertTrue(Files.size(JAR) <= MAX_BYTES, Files.size(JAR) + " bytes");
    }

    private static List<String> names(Path jar) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            return zip.stream().filter(entry -> !entry.isDirectory()).map(ZipEntry::getName).toList();
        }
    }

    private static String text(ZipFile jar, String name) throws IOException {
        try (InputStream in = jar.getInputStream(jar.getEntry(name))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
