// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValueFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The user's settings: the command line overrides the files, which override the defaults. Keys that are not among the defaults
 * are rejected, except in sections whose keys the user chooses: {@code spark}, {@code corpus.options},
 * {@code evaluate.corpora} and {@code evaluate.tasks}.
 */
public final class Settings {
    /** Bounds of {@link #real} that are outside the range themselves: 0 and 1. */
    public static final double ABOVE_ZERO = Double.MIN_VALUE;
    public static final double BELOW_ONE = Math.nextDown(1.0);

    private final Config config;
    /** Flat: {@code spark.speculation} and {@code spark.speculation.interval} are both values. */
    private final SortedMap<String, String> spark;
    /** Keys that the user set. */
    private final Set<String> given;
    /** Collects errors instead of throwing them; null otherwise. */
    private final List<UserException> findings;
    /** The named teacher whose settings are those of {@code teacher}; empty for none. */
    private final String teacher;

    private Settings(Config config, SortedMap<String, String> spark, Set<String> given, List<UserException> findings, String teacher) {
        this.config = config;
        this.spark = spark;
        this.given = given;
        this.findings = findings;
        this.teacher = teacher;
    }

    /**
     * Loads settings.
     *
     * @param files     HOCON files, local or any Hadoop path; later ones override earlier ones
     * @param overrides {@code key=value}; later ones override earlier ones; the value is taken literally, or as a JSON string if it
     *                  is entirely in double quotes
     * @throws UserException if a file cannot be read, a key is unknown, or a value has the wrong type
     */
    public static Settings load(List<String> files, List<String> overrides) {
        SettingsStack stack = SettingsStack.read(files, overrides);
        return new Settings(stack.config(), stack.spark(), stack.given(), null, "");
    }

    /** Returns the defaults file as shipped, with its comments. */
    public static String defaults() {
        return SettingsStack.defaults();
    }

    /**
     * Runs readers of settings and reports all values that they reject at once.
     *
     * @throws UserException if they reject any
     */
    public void check(List<Consumer<Settings>> readers) {
        Settings lenient = new Settings(config, spark, given, new ArrayList<>(), teacher);
        for (Consumer<Settings> reader : readers) {
            int before = lenient.findings.size();
            try {
                reader.accept(lenient);
            } catch (UserException e) {
                // What it says of several values together follows from those that are refused by themselves.
                if (lenient.findings.size() == before) {
                    lenient.findings.add(e);
                }
            }
        }
        if (!lenient.findings.isEmpty()) {
            // Several readers may read one.
            throw SettingsErrors.together(new ArrayList<>(lenient.findings.stream()
                    .collect(Collectors.toMap(UserException::getMessage, e -> e, (one, same) -> one, LinkedHashMap::new)).values()));
        }
    }

    /** @return a fallback to continue with, where rejected values are collected */
    private <T> T refuse(String key, String why, T instead) {
        String own = TeacherSections.PREFIX + teacher + key.replaceFirst("^teacher(?=\\.)", "");
        UserException refused = JobErrors.badValue(!teacher.isEmpty() && key.startsWith("teacher.") && given.contains(own) ? own : key, why);
        if (findings == null) {
            throw refused;
        }
        findings.add(refused);
        return instead;
    }

    /** Rejects a value that is valid as such, for a reason that a reader knows. */
    public void reject(String key, String why) {
        refuse(key, why, null);
    }

    /** Whether the user set it to another value than the default. */
    public boolean isGiven(String key) {
        return given.contains(key);
    }

    /**
     * Whether it has a value, or another setting stands in its place: a corpus is a path, a table, a query or what options describe; there
     * may be several teachers.
     */
    public boolean has(String key) {
        return !string(key).isBlank() || key.equals("corpus.path")
                && !(string("corpus.table").isBlank() && string("corpus.query").isBlank() && sourceOptions().isEmpty())
                || key.equals("teacher.path") && !teachers().isEmpty();
    }

    /** Returns the names of the teachers that share the corpus, sorted; empty if there is only that of {@code teacher}. */
    public List<String> teachers() {
        return config.getObject(SettingKinds.TEACHERS).keySet().stream().sorted().toList();
    }

    /**
     * Returns the settings for one of several teachers and its documents: those that a user would write for it alone. What is
     * not set for it is as in {@code teacher}.
     */
    public Settings ofTeacher(String name) {
        Config own = config.getConfig(TeacherSections.PREFIX + name);
        Config alone = config.withValue("teacher", own.withoutPath(TeacherSections.WHERE).root().withFallback(config.getValue("teacher")))
                .withValue(SettingKinds.TEACHERS, ConfigValueFactory.fromMap(Map.of()))
                .withValue("corpus.where", ConfigValueFactory.fromAnyRef(TeacherSections.corpusWhere(this, name)));
        Set<String> said = new TreeSet<>(given);
        own.withoutPath(TeacherSections.WHERE).entrySet().forEach(setting -> said.add("teacher." + setting.getKey()));
        said.add("corpus.where");
        return new Settings(alone, spark, said, findings, name);
    }

    /** Returns the name of the teacher whose settings these are, see {@link #ofTeacher}; empty if there is only one. */
    public String teacher() {
        return teacher;
    }

    /** Returns the same settings with one teacher, at a path. */
    public Settings withTeacher(String path) {
        return new Settings(config.withValue(SettingKinds.TEACHERS, ConfigValueFactory.fromMap(Map.of())), spark, given, findings, "")
                .with("teacher.path", path);
    }

    /** @throws UserException that names all of the keys without a value, if there are any */
    public void require(List<String> keys) {
        List<String> missing = keys.stream().filter(key -> !has(key)).toList();
        if (!missing.isEmpty()) {
            throw JobErrors.missingKeys(missing);
        }
    }

    /** @throws UserException when empty */
    public String required(String key) {
        String value = string(key);
        if (value.isBlank() && findings == null) {
            throw JobErrors.missingKeys(List.of(key));
        }
        return value;
    }

    public String string(String key) {
        return config.getString(key);
    }

    public int integer(String key, int min, int max) {
        return (int) number(key, min, max, () -> config.getLong(key));
    }

    public long seed() {
        return seed("seed");
    }

    /** The seed of the student's initial weights and the order of training. */
    public long trainingSeed() {
        return seed("train.seed");
    }

    /** The seed of the answers that the teacher writes. */
    public long writingSeed() {
        return seed("write.seed");
    }

    private long seed(String key) {
        try {
            return config.getLong(key);
        } catch (ConfigException e) {
            throw JobErrors.badValue(key, e.getMessage());
        }
    }

    /** The part of the teacher's distributions that is stored: {@code targets}. */
    public TargetSpec targetSpec() {
        return new TargetSpec(integer("targets.k", 0, TargetSpec.MAX_K), integer("targets.draws", 0, TargetSpec.MAX_DRAWS),
                seed("targets.seed"));
    }

    public double real(String key, double min, double max) {
        return number(key, min, max, () -> config.getDouble(key));
    }

    private double number(String key, double min, double max, Supplier<Number> get) {
        double value;
        try {
            value = get.get().doubleValue();
        } catch (ConfigException e) {
            return refuse(key, e.getMessage(), min);
        }
        return value >= min && value <= max ? value : refuse(key, string(key) + " is not " + (min == ABOVE_ZERO ? "above 0 and at most " + plain(max)
                : max == BELOW_ONE ? "at least " + plain(min) + " and below 1" : "between " + plain(min) + " and " + plain(max)), min == ABOVE_ZERO ? max : min);
    }

    /** Whole numbers without a fraction. */
    private static String plain(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15 ? String.valueOf((long) value) : String.valueOf(value);
    }

    /**
     * @param others words that the caller handles, named beside the constants where the value is neither
     * @return the constant named by the value, in any case
     */
    public <E extends Enum<E>> E choice(String key, Class<E> type, String... others) {
        for (E constant : type.getEnumConstants()) {
            if (constant.name().equalsIgnoreCase(string(key).trim().replace('-', '_'))) {
                return constant;
            }
        }
        List<String> words = Stream.concat(Stream.of(type.getEnumConstants()).map(constant -> constant.name().toLowerCase(Locale.ROOT).replace('_', '-')),
                Stream.of(others)).toList();
        return refuse(key, "'" + string(key) + "' is not one of " + words, type.getEnumConstants()[0]);
    }

    public boolean flag(String key) {
        return switch (string(key).trim()) {
            case "true" -> true;
            case "false" -> false;
            default -> refuse(key, "'" + string(key) + "' is neither true nor false", false);
        };
    }

    /** The settings that the user set, sorted by key, without {@code spark}, which may hold secrets, and those of a source's options. */
    public SortedMap<String, String> given() {
        SortedMap<String, String> values = new TreeMap<>();
        for (String key : given) {
            // Of one of several teachers, those of all were given.
            if (!SettingKinds.isOpen(key) && config.hasPath(key)) {
                values.put(key, config.getString(key));
            }
        }
        for (String section : List.of("evaluate.corpora", "evaluate.tasks")) {
            texts(section).forEach((name, text) -> values.put(section + "." + name, text));
        }
        SourceOptions.redacted(config).forEach((name, value) -> values.put(SourceOptions.SECTION + "." + name, value));
        return values;
    }

    /** The options of the Spark source that the corpus is, by name. */
    public SortedMap<String, String> sourceOptions() {
        return SourceOptions.of(config);
    }

    /** The strings of a section whose keys the user chooses, sorted by key. */
    public SortedMap<String, String> texts(String section) {
        SortedMap<String, String> texts = new TreeMap<>();
        try {
            config.getObject(section).forEach((name, value) -> {
                if (!(value.unwrapped() instanceof String text) || text.isBlank()) {
                    throw JobErrors.badValue(ConfigUtil.joinPath(section, name), "it is not a string");
                }
                texts.put(name, text);
            });
        } catch (ConfigException e) {
            throw JobErrors.badValue(section, e.getMessage());
        }
        return texts;
    }

    /** The {@code spark.*} settings, flat. */
    public Map<String, String> spark() {
        return Collections.unmodifiableSortedMap(spark);
    }

    /** All settings but {@code spark}, which may hold secrets, and those of a source's options, for the provenance. */
    public JsonNode provenance() {
        try {
            return HadoopFolder.JSON.readTree(config.withoutPath("spark")
                    .withValue(SourceOptions.SECTION, ConfigValueFactory.fromMap(SourceOptions.redacted(config))).root().render(ConfigRenderOptions.concise()));
        } catch (JsonProcessingException e) {
            throw new AssertionError(e);
        }
    }

    /** Returns the same settings with another corpus: files. */
    public Settings withCorpus(String path) {
        Settings with = with(SourceOptions.SECTION, Map.of()).with("corpus.path", path).with("corpus.format", "auto");
        for (String other : List.of("corpus.table", "corpus.query", "corpus.where")) {
            with = with.with(other, "");
        }
        return with;
    }

    /** Returns the same settings with one replaced. */
    public Settings with(String key, Object value) {
        Set<String> said = new TreeSet<>(given);
        said.add(key);
        return new Settings(config.withValue(key, ConfigValueFactory.fromAnyRef(value)), spark, said, findings, teacher);
    }
}
