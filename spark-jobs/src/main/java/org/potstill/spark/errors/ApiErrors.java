// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import org.potstill.errors.UserException;

/** User errors of programs that call the jobs; see {@link JobErrors}. */
public final class ApiErrors {
    private ApiErrors() {
    }

    public static UserException twoCorpora(String key) {
        return new UserException("there are two corpora", "the documents are given as a DataFrame, and the settings name " + key, "leave one of them out");
    }

    public static UserException stoppedSession() {
        return new UserException("the Spark session cannot be used", "its context is stopped", "start a new session");
    }

    public static UserException otherSession() {
        return new UserException("the documents belong to another Spark session", "a session sees only its own DataFrames",
                "pass the session that made the DataFrame");
    }

    public static UserException noPrompts(String columns) {
        return new UserException("the prompts lack a string column 'prompt'", "their columns are " + columns, "rename the column with the prompts");
    }

    public static UserException tooManyPrompts(int limit) {
        return new UserException("more than " + limit + " prompts", "generate continues them one by one on the driver",
                "use write, with teacher.path set to the model, or fewer prompts");
    }

    public static UserException badOption(String option, String value, String wanted) {
        return new UserException("invalid value for '" + option + "'", "'" + value + "' is not " + wanted, "correct it");
    }
}
