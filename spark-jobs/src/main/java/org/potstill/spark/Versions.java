package org.potstill.spark;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** What this build is. */
public final class Versions {
    private Versions() {
    }

    public static String potstill() {
        return property("version");
    }

    /** Spark's version that it was built with. */
    static String spark() {
        return property("spark");
    }

    /** Scala's binary version that it was built for. */
    static String scala() {
        return property("scala");
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
