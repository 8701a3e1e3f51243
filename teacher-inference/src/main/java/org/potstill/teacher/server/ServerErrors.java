// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.potstill.errors.UserException;

/** User errors of teachers behind a URL. */
final class ServerErrors {
    private ServerErrors() {
    }

    static UserException badKey() {
        return new UserException("cannot send the key of the teacher's server", "it contains blanks, line breaks or other than ASCII characters",
                "correct the environment variable " + ServerKey.VARIABLE);
    }

    static UserException badUrl(String why) {
        return new UserException("invalid URL of the teacher's server", why, "correct teacher.url");
    }

    /** @param said the server's own message */
    static UserException refused(URI url, int status, String said) {
        String remedy = switch (status) {
            case 401, 403 -> "set the environment variable " + ServerKey.VARIABLE + " to a key that may use this model";
            case 404 -> "check teacher.url, which usually ends in /v1, and teacher.model";
            case 413 -> "lower sequence-length or, for write, leave out the longest prompts, or raise the server's limit on the size of requests";
            default -> said.contains("logprobs") ? "set targets.k to what the server allows, or start it with a higher limit (vLLM: --max-logprobs)"
                    : "check that teacher.path is the tokenizer of the server's model and that sequence-length, or prompts with their answers, fit into its context";
        };
        return new UserException("the teacher's server at " + url + " refused a request", "status " + status + ": " + said, remedy);
    }

    static UserException unavailable(URI url, String why, Duration limit) {
        return new UserException("the teacher's server at " + url + " is not available", why + "; tried again for " + limit.toSeconds() + " s",
                "check the server, then run the same command again: what is stored is not scored or written again. teacher.retry-seconds sets how long to try");
    }

    static UserException untrusted(URI url, Throwable origin) {
        return new UserException("cannot connect to the teacher's server at " + url, "its certificate is not trusted: " + origin.getMessage(),
                "add the certificate to the JVM's trust store (-Djavax.net.ssl.trustStore) on the driver and the executors", origin);
    }

    static UserException tooLarge(URI url, long bytes) {
        return new UserException("the teacher's server at " + url + " sent too long a reply",
                "it has more than " + bytes + " bytes, which is beyond what the request can need", "check that teacher.url is the right server");
    }

    static UserException malformed(URI url, String why) {
        return new UserException("cannot read the reply of the teacher's server at " + url, why,
                "check that teacher.url is a vLLM server, for write of version 0.10.2 or later, or an SGLang server; others do not return the log-probabilities of a "
                        + "prompt and the ids of an answer");
    }

    static UserException otherTokens(URI url, String why) {
        return new UserException("the reply of the teacher's server at " + url + " is about other tokens than the request", why,
                "set teacher.path to the tokenizer of the server's model; if it is, the server does not return what Potstill needs");
    }

    static UserException noModel(URI url, String wanted, List<String> served) {
        return new UserException("the teacher's server at " + url + " does not have " + (wanted.isEmpty() ? "one model" : "the model " + wanted),
                served.isEmpty() ? "it lists none" : "it lists " + String.join(", ", served),
                wanted.isEmpty() && served.isEmpty() ? "load a model there" : "set teacher.model to the name of one that it lists");
    }

    static UserException noDraws() {
        return new UserException("cannot draw from the distributions of a teacher behind a URL",
                "targets.draws is set, and a server returns only the most probable tokens", "set targets.draws = 0 and targets.k to at least 1");
    }

    static UserException noPrecision() {
        return new UserException("cannot set the precision of a teacher behind a URL", "the server computes in its own",
                "remove teacher.precision");
    }

    static UserException noWeights(String what) {
        return new UserException("cannot " + what + " with a teacher behind a URL", "a server gives neither weights nor whole distributions",
                "unset teacher.url, and set teacher.path to a model that runs here");
    }
}
