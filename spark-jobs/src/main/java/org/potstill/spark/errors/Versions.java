// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Properties;

/** Versions of this build. */
public final class Versions {
    private Versions() {
    }

    public static String potstill() {
        return property("version");
    }

    /** Returns the Spark version of the build. */
    public static String spark() {
        return property("spark");
    }

    /** Returns the minor versions of Spark that the build runs on, such as 3.5. */
    public static List<String> sparks() {
        return List.of(property("sparks").split(","));
    }

    /** Returns the name of Iceberg's runtime for the build's Spark. */
    static String iceberg() {
        return property("iceberg");
    }

    /** Returns the Scala binary version of the build. */
    public static String scala() {
        return property("scala");
    }

    /** Shortens a version to major and minor: 3.5.1-amzn-0 to 3.5. */
    public static String minor(String version) {
        return version.replaceFirst("^(\\d+\\.\\d+).*$", "$1");
    }

    private static String property(String name) {
        try (InputStream in = Versions.class.getResourceAsStream("/potstill-version.properties")) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty(name);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
