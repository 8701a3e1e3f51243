// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;

/**
 * What a server asks for, or nothing. It comes from the driver's environment, under the names that MLflow's Python client reads, and is
 * printed nowhere.
 */
record TrackingKey(String user, String password, String token) {
    static final String DATABRICKS_TOKEN = "DATABRICKS_TOKEN";
    private static final String HIDDEN = "***";

    /** @param databricks whether the server is a Databricks workspace */
    static TrackingKey of(Map<String, String> environment, boolean databricks) {
        return databricks ? new TrackingKey(null, null, environment.get(DATABRICKS_TOKEN)) : new TrackingKey(environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD"), environment.get("MLFLOW_TRACKING_TOKEN"));
    }

    /** Adds the key to a request. */
    HttpRequest.Builder sign(HttpRequest.Builder request) {
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        } else if (user != null && password != null) {
            request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8)));
        }
        return request;
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
