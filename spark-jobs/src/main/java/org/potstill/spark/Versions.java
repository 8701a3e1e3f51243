package org.potstill.spark;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** What this build is. */
public final class Versions {
    private Versions() {
    }

    public static String potstill() {
        try (InputStream in = Versions.class.getResourceAsStream("/potstill-version.properties")) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
