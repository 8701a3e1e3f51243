// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.util.Map;
import org.mlflow.tracking.creds.BasicMlflowHostCreds;

/**
 * What a server asks for, or nothing. It comes from the driver's environment, under the names that MLflow's Python client reads, and is
 * printed nowhere.
 */
record TrackingKey(String user, String password, String token) {
    private static final String HIDDEN = "***";

    static TrackingKey of(Map<String, String> environment) {
        return new TrackingKey(environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD"), environment.get("MLFLOW_TRACKING_TOKEN"));
    }

    BasicMlflowHostCreds at(String host) {
        return new BasicMlflowHostCreds(host, user, password, token, false);
    }

    /** Returns a text without the secrets, which servers and exceptions may quote. */
    String hideIn(String text) {
        String hidden = text;
        for (String secret : new String[] {password, token}) {
            if (secret != null && !secret.isBlank()) {
                hidden = hidden.replace(secret, HIDDEN);
            }
        }
        return hidden;
    }

    @Override
    public String toString() {
        return HIDDEN;
    }
}
