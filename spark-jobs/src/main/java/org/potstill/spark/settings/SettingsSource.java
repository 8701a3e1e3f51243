// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigOriginFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.storage.FileSystems;
import org.potstill.spark.storage.HadoopFolder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A settings file, or one {@code --set}, as unresolved HOCON. */
final class SettingsSource {
    private static final Logger LOG = LoggerFactory.getLogger(SettingsSource.class);
    private static final int MAX_BYTES = 16 << 20;
    private static final ObjectReader JSON = HadoopFolder.JSON.reader().with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private SettingsSource() {
    }

    /** @param hadoop that a file which is not local is read with */
    static Config file(String file, Supplier<Configuration> hadoop) {
        return hocon(read(file, hadoop), file);
    }

    private static String read(String file, Supplier<Configuration> hadoop) {
        PathSettings.misfit(file).ifPresent(why -> {
            throw SettingsErrors.unreadableConfiguration(file, why);
        });
        Path path;
        try {
            path = new Path(file);
        } catch (IllegalArgumentException e) {
            throw SettingsErrors.unreadableConfiguration(file, file.isBlank() ? "--conf names no file" : PlatformErrors.reason(e));
        }
        if ("file".equals(path.toUri().getScheme())) {
            return text(file, () -> Files.newInputStream(java.nio.file.Path.of(path.toUri().getPath())));
        }
        Configuration configuration = hadoop.get();
        FileSystems.require("--conf", path, configuration);
        // One of its own: what is cached is the job's, whose configuration may be said in this very file.
        try (FileSystem fs = FileSystem.newInstance(path.toUri(), configuration)) {
            return text(file, () -> fs.open(path));
        } catch (IOException | IllegalArgumentException e) {
            throw SettingsErrors.unreadableConfiguration(file, String.valueOf(e.getMessage()));
        }
    }

    private interface Opening {
        InputStream open() throws IOException;
    }

    private static String text(String file, Opening opening) {
        try (InputStream in = opening.open()) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw SettingsErrors.unreadableConfiguration(file, "it has more than " + MAX_BYTES + " bytes");
            }
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (CharacterCodingException e) {
            throw SettingsErrors.unreadableConfiguration(file, "it is not UTF-8");
        } catch (NoSuchFileException e) {
            throw SettingsErrors.unreadableConfiguration(file, "there is no such file");
        } catch (IOException | IllegalArgumentException e) {
            throw SettingsErrors.unreadableConfiguration(file, String.valueOf(e.getMessage()));
        }
    }

    private static Config hocon(String text, String origin) {
        List<UserException> misread = SettingsText.findings(text, origin);
        if (!misread.isEmpty()) {
            throw SettingsErrors.together(misread);
        }
        try {
            return ConfigFactory.parseString(text, ConfigParseOptions.defaults().setSyntax(ConfigSyntax.CONF)
                    .setIncluder(new RefusedIncludes()).setOriginDescription(origin));
        } catch (ConfigException e) {
            throw SettingsErrors.unreadableConfiguration(origin, String.valueOf(e.getMessage())
                    .replace(", or you may be able to rename the file .properties rather than .conf", ""));
        }
    }

    /**
     * Parses {@code --set}. The value is taken literally; one that is entirely in double quotes is a JSON string, and one for a
     * section is HOCON.
     *
     * @param set {@code key=value}, or {@code key = value}
     */
    static Config override(String set, SettingKinds kinds) {
        int equals = set.indexOf('=');
        if (equals < 1) {
            throw SettingsErrors.unreadableConfiguration("--set " + set, "it is not of the form key=value");
        }
        String key = set.substring(0, equals).trim();
        if (SettingsText.levels(key) > SettingsText.MAX_DEPTH) {
            throw SettingsErrors.unreadableConfiguration("--set " + set, "its key has more than " + SettingsText.MAX_DEPTH + " levels");
        }
        boolean spaced = set.charAt(equals - 1) == ' ' && set.startsWith("= ", equals);
        String value = set.substring(equals + (spaced ? 2 : 1));
        try {
            ConfigUtil.splitPath(key);
        } catch (ConfigException e) {
            throw SettingsErrors.unreadableConfiguration("--set " + set, "'" + key + "' is not a valid key");
        }
        if (kinds.isSection(key)) {
            return hocon(key + " = " + value, "--set " + key);
        }
        return ConfigFactory.empty().withValue(key, plain(key, value, kinds.kind(key)));
    }

    private static ConfigValue plain(String key, String value, SettingKinds.Kind kind) {
        String text = value;
        if (isQuoted(value.strip())) {
            text = unquoted(key, value.strip());
        } else if (value.matches("(?s).*\\\\[nrt].*")) {
            LOG.warn("--set {} takes a backslash literally; write {}=\"...\" in double quotes, which is read as JSON, for a line break or "
                    + "tab", key, key);
        }
        if (kind != SettingKinds.Kind.TEXT) {
            text = text.strip();
            // As a file would say it, for whoever compares settings.
            if (text.matches("true|false|-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]{1,4})?")) {
                return ConfigFactory.parseString("value = " + text).getValue("value").withOrigin(ConfigOriginFactory.newSimple("--set " + key));
            }
        }
        return ConfigValueFactory.fromAnyRef(text);
    }

    private static boolean isQuoted(String text) {
        return text.length() > 1 && text.startsWith("\"") && text.endsWith("\"");
    }

    private static String unquoted(String key, String quoted) {
        try {
            JsonNode string = JSON.readTree(quoted);
            if (string.isTextual()) {
                return string.textValue();
            }
        } catch (JsonProcessingException e) {
            // Told below.
            LOG.debug("no JSON: {}", quoted, e);
        }
        throw SettingsErrors.unreadableConfiguration("--set " + key, "a value in double quotes must be a JSON string, but this is not: "
                + quoted);
    }
}
