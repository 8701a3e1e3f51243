// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.JobErrors;

/** The types of the settings' values, taken from their defaults. */
final class SettingKinds {
    enum Kind { TEXT, FLAG, WHOLE, REAL }

    /** Sections whose keys the user chooses. */
    private static final List<String> OPEN = List.of("spark", "evaluate.corpora", "evaluate.tasks", "corpus.options");
    /** Fractions whose defaults are whole. */
    private static final Set<String> FRACTIONS = Set.of("train.max-loss-beyond-chance", "train.outer-momentum",
            "student.rope-scaling.original-positions");
    /** Section whose sections, which the user names, have the settings of {@code teacher}, but for the shared scratch folder. */
    static final String TEACHERS = "teachers";
    private static final Pattern OF_TEACHER = Pattern.compile(TEACHERS + "\\.[^.]+(\\..+)?");
    private static final Pattern TEACHER_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}");
    /** What is known of the condition of any of them. */
    private static final String WHERE_OF_ANY = TEACHERS + ".*.where";
    /** Length of the longest key that is compared with the known ones. */
    private static final int MAX_LIKE = 200;
    private static final String DIGITS = "[-+]?[0-9]+";
    private static final String NUMBER = "[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]{1,4})?";

    private final Map<String, Kind> kinds = new TreeMap<>();
    private final Set<String> sections = new TreeSet<>(OPEN);

    /** @param defaults resolved */
    SettingKinds(Config defaults) {
        collect("", defaults.root());
        kinds.put(WHERE_OF_ANY, Kind.TEXT);
    }

    private void collect(String above, ConfigObject object) {
        object.forEach((name, value) -> {
            String key = above + name;
            if (OPEN.contains(key)) {
                return;
            }
            if (value instanceof ConfigObject section) {
                sections.add(key);
                collect(key + ".", section);
            } else {
                kinds.put(key, switch (value.valueType()) {
                    case BOOLEAN -> Kind.FLAG;
                    // As it is written: to HOCON 1.0 is a whole number.
                    case NUMBER -> FRACTIONS.contains(key) || !text(value).matches(DIGITS) ? Kind.REAL : Kind.WHOLE;
                    default -> Kind.TEXT;
                });
            }
        });
    }

    boolean isSection(String key) {
        return sections.contains(key) || isTeacher(key);
    }

    private static boolean isTeacher(String key) {
        Matcher ofTeacher = OF_TEACHER.matcher(key);
        return ofTeacher.matches() && ofTeacher.group(1) == null;
    }

    /** Returns the setting of {@code teacher} that has the kind of a named teacher's; other keys as they are. */
    private static String ruling(String key) {
        Matcher ofTeacher = OF_TEACHER.matcher(key);
        return !ofTeacher.matches() || ofTeacher.group(1) == null || ofTeacher.group(1).equals(".scratch") ? key
                : ofTeacher.group(1).equals(".where") ? WHERE_OF_ANY : "teacher" + ofTeacher.group(1);
    }

    static boolean isOpen(String key) {
        return OPEN.stream().anyMatch(section -> key.startsWith(section + "."));
    }

    Kind kind(String key) {
        return kinds.getOrDefault(ruling(key), Kind.TEXT);
    }

    /** Finds the values in a resolved source of settings that cannot be used. */
    List<UserException> findings(Config source) {
        List<UserException> findings = new ArrayList<>();
        find("", source.root(), findings);
        findSpelledTwice(source, findings);
        return findings;
    }

    /** Finds {@code spark.*} keys in two spellings, such as {@code spark.a.b} and {@code spark."a.b"}, neither of which comes later. */
    private static void findSpelledTwice(Config source, List<UserException> findings) {
        Map<String, String> spellings = new TreeMap<>();
        if (source.root().get("spark") instanceof ConfigObject section) {
            section.toConfig().entrySet().stream().map(Map.Entry::getKey).sorted().forEach(spelled -> {
                String other = spellings.put(String.join(".", ConfigUtil.splitPath(spelled)), spelled);
                if (other != null) {
                    findings.add(JobErrors.badValue("spark." + String.join(".", ConfigUtil.splitPath(spelled)),
                            "it is set twice, as spark." + other + " and spark." + spelled + ", and neither overrides the other"));
                }
            });
        }
    }

    /** Lists the first settings of a section. */
    private List<String> below(String section) {
        if (section.equals(TEACHERS) || isTeacher(section)) {
            return List.of(section + (isTeacher(section) ? "" : ".NAME") + ".path");
        }
        return kinds.keySet().stream().filter(key -> key.startsWith(section + ".")).limit(4).toList();
    }

    private void find(String above, ConfigObject object, List<UserException> findings) {
        new TreeMap<>(object).forEach((name, value) -> {
            String key = above + (isOpen(above) ? ConfigUtil.joinPath(name) : name);
            boolean section = value instanceof ConfigObject;
            if (!isOpen(above) && name.indexOf('.') >= 0) {
                // Flattened, it would look like the setting of that path, which nobody set.
                findings.add(SettingsErrors.quotedKey(above, name, where(value)));
            } else if (above.equals(TEACHERS + ".") && !TEACHER_NAME.matcher(name).matches()) {
                findings.add(JobErrors.badValue(TEACHERS, "'" + name + "' is not a name of letters, digits, - and _" + where(value)));
            } else if (isSection(key) && !section) {
                findings.add(SettingsErrors.sectionValue(key, isOpen(key + ".") ? List.of(key + ".NAME") : below(key)));
            } else if (section && kinds.containsKey(ruling(key))) {
                findings.add(JobErrors.badValue(key, "it takes a single value, not a section"));
            } else if (section && !isSection(key) && ((ConfigObject) value).isEmpty()) {
                findings.add(isOpen(key) ? JobErrors.badValue(key, "it is an empty section" + where(value)) : SettingsErrors.unknownKey(key, nearest(key)));
            } else if (section && !key.startsWith("evaluate.corpora.") && !key.startsWith("evaluate.tasks.")) {
                find(key + ".", (ConfigObject) value, findings);
            } else if (isOpen(key)) {
                problem(value, Kind.TEXT).or(() -> blank(key, value)).ifPresent(why -> findings.add(JobErrors.badValue(key, why)));
            } else if (kinds.containsKey(ruling(key))) {
                problem(value, kind(key)).ifPresent(why -> findings.add(JobErrors.badValue(key, why)));
            } else {
                findings.add(SettingsErrors.unknownKey(key, nearest(key)));
            }
        });
    }

    private static Optional<String> blank(String key, ConfigValue value) {
        return key.startsWith("spark.") || key.startsWith("corpus.options.") || !String.valueOf(value.unwrapped()).isBlank() ? Optional.empty() : Optional.of("it is empty");
    }

    private String nearest(String key) {
        if (key.length() > MAX_LIKE) {
            return "";
        }
        String ruling = ruling(key);
        if (!ruling.equals(key)) {
            return nearest(ruling).replaceFirst("^teacher(?=\\.)", key.substring(0, key.indexOf('.', TEACHERS.length() + 1)));
        }
        LevenshteinDistance distance = LevenshteinDistance.getDefaultInstance();
        return kinds.keySet().stream().min(Comparator.comparingInt(known -> distance.apply(known, key)))
                .filter(known -> distance.apply(known, key) <= Math.max(2, key.length() / 3)).orElse("");
    }

    private static String where(ConfigValue value) {
        return value.origin().lineNumber() < 0 ? "" : " (" + value.origin().description() + ")";
    }

    private static Optional<String> problem(ConfigValue value, Kind kind) {
        String where = where(value);
        if (value.valueType() == ConfigValueType.NULL) {
            return Optional.of("null means no value: remove it, or quote it if you mean the text" + where);
        }
        if (value.valueType() == ConfigValueType.LIST || value.valueType() == ConfigValueType.OBJECT) {
            return Optional.of("it is not a single value: put text with brackets, or a name with dots, in double quotes" + where);
        }
        String text = text(value);
        boolean fits = switch (kind) {
            case TEXT -> true;
            case FLAG -> text.equals("true") || text.equals("false");
            case WHOLE -> isWhole(text);
            case REAL -> text.matches(NUMBER) && Double.isFinite(Double.parseDouble(text));
        };
        return fits ? Optional.empty() : Optional.of("'" + text + "' is " + switch (kind) {
            case FLAG -> "neither true nor false";
            case WHOLE -> text.matches(DIGITS) ? "not between " + Long.MIN_VALUE + " and " + Long.MAX_VALUE : "not a whole number";
            default -> "not a number";
        } + where);
    }

    /** Returns a plain value as it was written. */
    static String text(ConfigValue value) {
        return value.atKey("value").getString("value");
    }

    private static boolean isWhole(String text) {
        if (!text.matches(NUMBER) || !(Math.abs(Double.parseDouble(text)) <= Long.MAX_VALUE)) {
            return false;
        }
        try {
            new BigDecimal(text).longValueExact();
            // Other spellings are parsed as a double.
            return text.matches(DIGITS) || Math.abs(Double.parseDouble(text)) < 1L << 53;
        } catch (ArithmeticException e) {
            return false;
        }
    }
}
