package org.potstill.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;

/**
 * The user's settings: defaults, below the files, below what was said on the command line. Keys that the defaults do
 * not know are refused, except in sections whose keys the user chooses: {@code spark}, {@code evaluate.corpora} and
 * {@code evaluate.tasks}.
 */
public final class Settings {
    private static final String DEFAULTS = "potstill-defaults.conf";
    /** Sections whose keys the user chooses. */
    private static final List<String> OPEN = List.of("spark.", "evaluate.corpora.", "evaluate.tasks.");
    private static final ConfigParseOptions PARSE =
            ConfigParseOptions.defaults().setSyntax(ConfigSyntax.CONF).setIncluder(new RefusedIncludes());

    private final Config config;
    /** Keys that the user said something of. */
    private final Set<String> given;

    private Settings(Config config, Set<String> given) {
        this.config = config;
        this.given = given;
    }

    /**
     * @param files     HOCON files, local or any Hadoop path, the later ones above the earlier
     * @param overrides {@code key=value}, the later ones above the earlier
     * @throws UserException when a file cannot be read, or a key or value is not known
     */
    public static Settings load(List<String> files, List<String> overrides) {
        Config defaults = ConfigFactory.parseResources(Settings.class.getClassLoader(), DEFAULTS);
        Config user = ConfigFactory.empty();
        for (String file : files) {
            user = parse(read(file), file).withFallback(user);
        }
        for (String override : overrides) {
            int equals = override.indexOf('=');
            if (equals < 1) {
                throw JobErrors.unreadableConfiguration("--set " + override, "it is not of the form key=value");
            }
            user = parseOverride(override.substring(0, equals).trim(), override.substring(equals + 1)).withFallback(user);
        }
        refuseUnknownKeys(user, defaults);
        try {
            return new Settings(resolved(user, defaults), keys(user));
        } catch (ConfigException e) {
            throw JobErrors.unreadableConfiguration(String.join(" and ", files), e.getMessage());
        }
    }

    /** Values may refer to other settings and, as the defaults do, to system properties, which are no settings themselves. */
    private static Config resolved(Config user, Config defaults) {
        Config system = ConfigFactory.systemProperties();
        for (String ours : defaults.root().keySet()) {
            system = system.withoutPath(ConfigUtil.joinPath(ours));
        }
        Config all = user.withFallback(defaults).withFallback(system).resolve();
        for (String theirs : system.root().keySet()) {
            all = all.withoutPath(ConfigUtil.joinPath(theirs));
        }
        return all;
    }

    /** The defaults file as shipped, comments and all. */
    public static String defaults() {
        try (InputStream in = Settings.class.getClassLoader().getResourceAsStream(DEFAULTS)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String read(String file) {
        Path path = new Path(file);
        try (InputStream in = path.getFileSystem(new Configuration()).open(path)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unreadableConfiguration(file, String.valueOf(e.getMessage()));
        }
    }

    private static Config parse(String text, String origin) {
        try {
            return ConfigFactory.parseString(text, PARSE.setOriginDescription(origin));
        } catch (ConfigException e) {
            throw JobErrors.unreadableConfiguration(origin, e.getMessage());
        }
    }

    /** The value is HOCON where it parses as such (numbers, quoted strings), else the text as it stands (paths with colons). */
    private static Config parseOverride(String key, String value) {
        try {
            return ConfigFactory.parseString(key + " = " + value, PARSE);
        } catch (ConfigException e) {
            return ConfigFactory.parseMap(Map.of(key, value));
        }
    }

    private static void refuseUnknownKeys(Config user, Config defaults) {
        Set<String> known = keys(defaults);
        for (String key : keys(user)) {
            if (!known.contains(key) && OPEN.stream().noneMatch(key::startsWith)) {
                LevenshteinDistance distance = new LevenshteinDistance();
                String nearest = known.stream().min(Comparator.comparingInt(k -> distance.apply(k, key)))
                        .filter(k -> distance.apply(k, key) <= Math.max(2, key.length() / 3)).orElse("");
                throw JobErrors.unknownKey(key, nearest);
            }
        }
    }

    private static Set<String> keys(Config config) {
        Set<String> keys = new TreeSet<>();
        collectKeys("", config.root(), keys);
        return keys;
    }

    private static void collectKeys(String prefix, com.typesafe.config.ConfigObject object, Set<String> keys) {
        object.forEach((name, value) -> {
            if (value instanceof com.typesafe.config.ConfigObject child) {
                collectKeys(prefix + name + ".", child, keys);
            } else {
                keys.add(prefix + name);
            }
        });
    }

    /** Whether it was set, and is not the default. */
    public boolean isGiven(String key) {
        return given.contains(key);
    }

    /** @throws UserException when empty */
    public String required(String key) {
        String value = string(key);
        if (value.isBlank()) {
            throw JobErrors.missingKey(key);
        }
        return value;
    }

    public String string(String key) {
        return config.getString(key);
    }

    public int integer(String key, int min, int max) {
        return (int) number(key, min, max, () -> config.getInt(key));
    }

    public long seed() {
        return seed("seed");
    }

    /** Of the student's first weights and the order of training. */
    public long trainingSeed() {
        return seed("train.seed");
    }

    private long seed(String key) {
        try {
            return config.getLong(key);
        } catch (ConfigException e) {
            throw JobErrors.badValue(key, e.getMessage());
        }
    }

    /** What is kept of the teacher's distributions: {@code targets}. */
    public TargetSpec targetSpec() {
        return new TargetSpec(integer("targets.k", 0, TargetSpec.MAX_K), integer("targets.draws", 0, TargetSpec.MAX_DRAWS),
                seed("targets.seed"));
    }

    public double real(String key, double min, double max) {
        return number(key, min, max, () -> config.getDouble(key));
    }

    private static double number(String key, double min, double max, java.util.function.Supplier<Number> get) {
        double value;
        try {
            value = get.get().doubleValue();
        } catch (ConfigException e) {
            throw JobErrors.badValue(key, e.getMessage());
        }
        if (!(value >= min && value <= max)) {
            throw JobErrors.badValue(key, value + " does not lie between " + min + " and " + max);
        }
        return value;
    }

    /** @return the constant named by the value, in any case */
    public <E extends Enum<E>> E choice(String key, Class<E> type) {
        for (E constant : type.getEnumConstants()) {
            if (constant.name().equalsIgnoreCase(string(key).trim().replace('-', '_'))) {
                return constant;
            }
        }
        throw JobErrors.badValue(key, "'" + string(key) + "' is none of "
                + List.of(type.getEnumConstants()).toString().toLowerCase(java.util.Locale.ROOT).replace('_', '-'));
    }

    public boolean flag(String key) {
        return switch (string(key).trim()) {
            case "true" -> true;
            case "false" -> false;
            default -> throw JobErrors.badValue(key, "'" + string(key) + "' is neither true nor false");
        };
    }

    /** What the user set, by key, in the order of the keys; without {@code spark}, which may hold secrets. */
    public SortedMap<String, String> given() {
        SortedMap<String, String> values = new TreeMap<>();
        for (String key : given) {
            if (OPEN.stream().noneMatch(key::startsWith)) {
                values.put(key, String.valueOf(config.getValue(key).unwrapped()));
            }
        }
        for (String section : List.of("evaluate.corpora", "evaluate.tasks")) {
            texts(section).forEach((name, text) -> values.put(section + "." + name, text));
        }
        return values;
    }

    /** The texts of a section whose keys the user chooses, by key, in the order of the keys. */
    public SortedMap<String, String> texts(String section) {
        SortedMap<String, String> texts = new TreeMap<>();
        try {
            config.getObject(section).forEach((name, value) -> {
                if (!(value.unwrapped() instanceof String text) || text.isBlank()) {
                    throw JobErrors.badValue(ConfigUtil.joinPath(section, name), "it is not a text");
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
        Map<String, String> flat = new LinkedHashMap<>();
        config.getConfig("spark").entrySet().stream().sorted(Map.Entry.comparingByKey())
                .forEach(e -> flat.put("spark." + e.getKey().replace("\"", ""), e.getValue().unwrapped().toString()));
        return flat;
    }

    /** Everything but {@code spark}, which may hold secrets: what provenance records. */
    public JsonNode provenance() {
        try {
            return HadoopFolder.JSON.readTree(config.withoutPath("spark").root().render(ConfigRenderOptions.concise()));
        } catch (JsonProcessingException e) {
            throw new AssertionError(e);
        }
    }

    /** The same settings with one replaced. */
    public Settings with(String key, Object value) {
        Set<String> said = new TreeSet<>(given);
        said.add(key);
        return new Settings(config.withValue(key, ConfigValueFactory.fromAnyRef(value)), said);
    }
}
