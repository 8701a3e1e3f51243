// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.io.IOUtils;
import org.apache.spark.deploy.SparkSubmitArguments;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.settings.Settings;
import picocli.CommandLine;
import scala.collection.JavaConverters;
import scala.collection.immutable.Map;

/** What the README and the pages that it links tell users to type, and what they name, is there. */
class ReadmeTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern BLOCK = Pattern.compile("(?ms)^```\\w*\\n(.*?)^```$");
    private static final Pattern CODE = Pattern.compile("`([^`\\n]+)`");
    private static final Pattern LINK = Pattern.compile("(?:\\]\\(|(?:href|src)=\")([^)\"\\s]+)[)\"]");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ +(.*)$");
    private static final Pattern FILE = Pattern.compile("(?<![\\w/.:-])(?:bench|conf|deploy|docs|[a-z-]+/src)/[\\w./-]*\\w");
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");
    private static final List<String> PLATFORMS = List.of("databricks", "emr", "kubernetes");
    private static final Config DEFAULTS = ConfigFactory.parseString(Settings.defaults());

    private static List<Path> pages;

    @TempDir
    private Path folder;

    @BeforeAll
    static void findPages() throws IOException {
        pages = new ArrayList<>(List.of(ROOT.resolve("README.md"), ROOT.resolve("CONTRIBUTING.md"), ROOT.resolve("SECURITY.md")));
        try (Stream<Path> files = Files.walk(ROOT.resolve("docs"))) {
            files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(pages::add);
        }
        for (String platform : PLATFORMS) {
            pages.add(ROOT.resolve("deploy").resolve(platform).resolve("README.md"));
        }
    }

    private static List<String> blocks(Path page) throws IOException {
        return BLOCK.matcher(Files.readString(page)).results().map(block -> block.group(1).replace("\\\n", " ")).toList();
    }

    /** What is set as code within a line. */
    private static List<String> spans(Path page) throws IOException {
        return CODE.matcher(BLOCK.matcher(Files.readString(page)).replaceAll("")).results().map(code -> code.group(1)).toList();
    }

    /** The commands of all pages that begin with a name, split into words. */
    private static List<List<String>> commands(String name) throws IOException {
        List<List<String>> commands = new ArrayList<>();
        for (Path page : pages) {
            Stream.concat(spans(page).stream(), blocks(page).stream().flatMap(String::lines)).filter(code -> code.startsWith(name + " "))
                    .map(code -> WORD.matcher(code.replaceFirst(" # .*", "")).results()
                            .map(word -> word.group(1) == null ? word.group(2) : word.group(1)).toList())
                    .forEach(commands::add);
        }
        return commands;
    }

    private static void assertParses(List<String> arguments) {
        CommandLine.ParseResult parsed = assertDoesNotThrow(() -> Potstill.line().parseArgs(arguments.toArray(String[]::new)), arguments::toString);
        assertTrue(parsed.hasSubcommand(), arguments::toString);
    }

    @Test
    void theReadmeIsShort() throws IOException {
        int words = Files.readString(ROOT.resolve("README.md")).trim().split("\\s+").length;
        assertTrue(words <= 1000, words + " words");
    }

    @Test
    void everyCommandParses() throws IOException {
        List<List<String>> commands = commands("deploy/potstill");
        // A synopsis.
        commands.removeIf(command -> command.get(1).equals("COMMAND"));
        assertTrue(commands.size() >= 10, commands.toString());
        commands.forEach(command -> assertParses(command.subList(1, command.size())));
    }

    @Test
    @SuppressWarnings("deprecation") // Scala 2.13 has other converters, which 2.12 lacks.
    void everySparkSubmitNamesTheMainClassAndACommandThatParses() throws IOException {
        List<List<String>> commands = commands("spark-submit");
        assertTrue(commands.size() >= 2, commands.toString());
        for (List<String> command : commands) {
            List<String> words = command.subList(1, command.size()).stream()
                    .map(word -> word.startsWith("conf/") ? ROOT.resolve(word).toString() : word).toList();
            SparkSubmitArguments submit = new SparkSubmitArguments(JavaConverters.asScalaBuffer(words).toSeq(),
                    new Map.Map1<>("HADOOP_CONF_DIR", "/etc/hadoop"));
            assertEquals(Potstill.class.getName(), submit.mainClass());
            assertTrue(submit.primaryResource().endsWith("potstill.jar"), submit.primaryResource());
            assertParses(JavaConverters.seqAsJavaList(submit.childArgs()));
        }
    }

    @Test
    void everyMavenCommandNamesModulesProfilesAndTestsThatExist() throws IOException {
        List<List<String>> commands = commands("mvn");
        assertTrue(commands.contains(List.of("mvn", "verify")), commands.toString());
        String pom = Files.readString(ROOT.resolve("pom.xml")) + Files.readString(ROOT.resolve("spark-jobs/pom.xml"));
        Set<String> tests;
        try (Stream<Path> files = Files.walk(ROOT)) {
            tests = files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".java")).collect(Collectors.toSet());
        }
        for (Path page : pages) {
            spans(page).stream().filter(code -> code.startsWith("-P")).forEach(profile -> commands.add(List.of("mvn", profile)));
        }
        for (List<String> command : commands) {
            for (String word : command) {
                assertTrue(!word.startsWith("-P") || Stream.of(word.substring(2).split(",")).allMatch(id -> pom.contains("<id>" + id + "</id>")), word);
                assertTrue(!word.startsWith("-Dtest=") || tests.contains(word.substring("-Dtest=".length()) + ".java"), word);
                assertTrue(!word.equals("-pl") || pom.contains("<module>" + command.get(command.indexOf("-pl") + 1) + "</module>"), command::toString);
            }
        }
    }

    @Test
    void everyFileThatIsNamedExists() throws IOException {
        List<Path> texts = new ArrayList<>(pages);
        for (String folder : List.of("conf", "deploy")) {
            try (Stream<Path> files = Files.list(ROOT.resolve(folder))) {
                files.filter(Files::isRegularFile).forEach(texts::add);
            }
        }
        Set<String> missing = new TreeSet<>();
        int found = 0;
        for (Path text : texts) {
            for (String name : FILE.matcher(Files.readString(text)).results().map(MatchResult::group).toList()) {
                boolean exists = Files.exists(ROOT.resolve(name)) || Files.exists(text.resolveSibling(name));
                // What the build writes.
                if (!exists && !name.contains("/target")) {
                    missing.add(ROOT.relativize(text) + ": " + name);
                }
                found += exists ? 1 : 0;
            }
        }
        assertEquals(Set.of(), missing);
        assertTrue(found > 50, "only " + found);
    }

    @Test
    void everyLinkLeadsToAFileAndAHeading() throws IOException {
        Set<String> broken = new TreeSet<>();
        for (Path page : pages) {
            for (String link : LINK.matcher(Files.readString(page)).results().map(match -> match.group(1)).toList()) {
                if (link.contains("://") || link.startsWith("mailto:")) {
                    continue;
                }
                int hash = (link + "#").indexOf('#');
                Path to = hash == 0 ? page : page.resolveSibling(link.substring(0, hash));
                if (!Files.exists(to) || hash < link.length() && !anchors(to).contains(link.substring(hash + 1))) {
                    broken.add(ROOT.relativize(page) + ": " + link);
                }
            }
        }
        assertEquals(Set.of(), broken);
    }

    private static List<String> anchors(Path page) throws IOException {
        return HEADING.matcher(Files.readString(page)).results()
                .map(heading -> heading.group(1).toLowerCase(Locale.ROOT).replaceAll("[^\\w -]", "").replace(' ', '-')).toList();
    }

    @Test
    void everySettingExists() throws IOException {
        Set<String> unknown = new TreeSet<>();
        int found = 0;
        for (Path page : pages) {
            for (String code : spans(page)) {
                String key = code.split("[ ={]", 2)[0];
                String section = key.split("\\.", 2)[0];
                // The cluster's keys are Spark's.
                if (!key.matches("[a-z0-9-]+(\\.[a-z0-9-]+)+") || section.equals("spark") || !DEFAULTS.hasPathOrNull(section)) {
                    continue;
                }
                found++;
                if (!DEFAULTS.hasPathOrNull(key)) {
                    unknown.add(ROOT.relativize(page) + ": " + code);
                }
            }
        }
        assertEquals(Set.of(), unknown);
        assertTrue(found > 100, "only " + found);
    }

    @Test
    void everyConfigurationLoads() throws IOException {
        List<Path> files = new ArrayList<>();
        for (Path page : pages) {
            for (String block : blocks(page)) {
                if (DEFAULTS.root().keySet().stream().anyMatch(section -> block.matches("(?s)" + section + "[.\\w-]* *[={].*"))) {
                    files.add(Files.writeString(folder.resolve(files.size() + ".conf"), block));
                }
            }
        }
        assertTrue(files.size() >= 2, "only " + files.size());
        try (Stream<Path> shipped = Files.list(ROOT.resolve("conf"))) {
            // The others are properties of Spark's.
            shipped.filter(file -> file.getFileName().toString().matches(".*\\.conf")).forEach(files::add);
        }
        PLATFORMS.forEach(platform -> files.add(ROOT.resolve("deploy").resolve(platform).resolve("distil.conf")));
        files.forEach(file -> assertDoesNotThrow(() -> Settings.load(List.of(file.toString()), List.of()), file::toString));
    }

    @Test
    void thePageOfSettingsIsWhatItsGeneratorWrites() throws Exception {
        Process python;
        try {
            python = new ProcessBuilder("python3", ROOT.resolve("docs/settings.py").toString(), "--check").redirectErrorStream(true).start();
        } catch (IOException e) {
            assumeTrue(false, "no python3");
            return;
        }
        String said = IOUtils.toString(python.getInputStream(), "UTF-8");
        assertTrue(python.waitFor(1, TimeUnit.MINUTES) && python.exitValue() == 0, said);
    }
}
