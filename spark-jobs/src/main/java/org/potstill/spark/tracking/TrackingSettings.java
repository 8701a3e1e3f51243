// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Optional;
import org.potstill.spark.settings.Settings;

/**
 * Where runs are recorded.
 *
 * @param uri        of the server; empty for nowhere
 * @param experiment name of the experiment
 * @param runName    name of the parent run; empty for the student's
 * @param logStudent whether the student's files are artifacts
 */
record TrackingSettings(String uri, String experiment, String runName, boolean logStudent) {
    private static final String URI_KEY = "mlflow.uri";
    private static final String DATABRICKS = "databricks";
    private static final String DATABRICKS_HOST = "DATABRICKS_HOST";
    private static final int MAX_NAME = 250;

    static TrackingSettings of(Settings settings) {
        String uri = settings.string(URI_KEY).strip();
        if (!uri.isEmpty()) {
            misfit(uri).ifPresent(why -> settings.reject(URI_KEY, why));
            if (settings.string("mlflow.experiment").isBlank()) {
                settings.reject("mlflow.experiment", "it is empty");
            }
            for (String key : new String[] {"mlflow.experiment", "mlflow.run-name"}) {
                if (settings.string(key).length() > MAX_NAME) {
                    settings.reject(key, "it is longer than " + MAX_NAME + " characters");
                }
            }
        }
        return new TrackingSettings(uri.replaceFirst("/+$", ""), settings.string("mlflow.experiment").strip(), settings.string("mlflow.run-name").strip(),
                settings.flag("mlflow.log-student"));
    }

    /** Returns whether the server is a Databricks workspace. */
    boolean isDatabricks() {
        return uri.equals(DATABRICKS);
    }

    /** Returns where requests go. */
    String server() {
        return !isDatabricks() ? uri : System.getenv(DATABRICKS_HOST).replaceFirst("/+$", "").replaceFirst("^(?!https://)", "https://");
    }

    /** Says what is wrong with a URI, without quoting it: it may contain a password. */
    private static Optional<String> misfit(String text) {
        if (text.equals(DATABRICKS)) {
            return System.getenv(DATABRICKS_HOST) == null || System.getenv(TrackingKey.DATABRICKS_TOKEN) == null
                    ? Optional.of("it needs the driver's environment variables " + DATABRICKS_HOST + " and " + TrackingKey.DATABRICKS_TOKEN) : Optional.empty();
        }
        if (text.contains("@")) {
            return Optional.of("it contains a user name or password: put them into the environment variables MLFLOW_TRACKING_USERNAME and "
                    + "MLFLOW_TRACKING_PASSWORD, or a token into MLFLOW_TRACKING_TOKEN");
        }
        try {
            URI uri = new URI(text);
            boolean isServer = ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme())) && uri.getHost() != null
                    && uri.getQuery() == null && uri.getFragment() == null;
            return isServer ? Optional.empty() : Optional.of("it must be like http://host:5000, or databricks: folders and databases need 'mlflow server'");
        } catch (URISyntaxException e) {
            return Optional.of("it is not a URI: " + e.getReason());
        }
    }
}
