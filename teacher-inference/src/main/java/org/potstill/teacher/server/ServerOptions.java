// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.Optional;

/**
 * How to reach a server and how hard to try.
 *
 * @param url          base of the protocol's paths, such as {@code http://host:8000/v1}
 * @param model        the server's name for the model; empty for the only one that it has
 * @param requests     most requests in flight from this process
 * @param requestLimit time for one request, from connecting to the last byte of the reply
 * @param retryLimit   time for which a request is sent again after its first failure
 */
public record ServerOptions(URI url, String model, ServerKey key, int requests, Duration requestLimit, Duration retryLimit)
        implements Serializable {
    /**
     * Parses a base URL.
     *
     * @throws org.potstill.errors.UserException if it is not one, or contains a password
     */
    public static URI parse(String text) {
        misfit(text).ifPresent(why -> {
            throw ServerErrors.badUrl(why);
        });
        return URI.create(text.replaceFirst("/+$", ""));
    }

    /** Says what is wrong with a base URL, without quoting it: it may contain a password. */
    public static Optional<String> misfit(String text) {
        URI url;
        try {
            url = new URI(text);
        } catch (URISyntaxException e) {
            return Optional.of("it is not a URL: " + e.getReason());
        }
        if (text.contains("@")) {
            return Optional.of("it contains a user name or password: put the key into the environment variable " + ServerKey.VARIABLE);
        }
        if (!"http".equals(url.getScheme()) && !"https".equals(url.getScheme()) || url.getHost() == null) {
            return Optional.of("it must be like http://host:8000/v1, with http or https and a host");
        }
        return url.getQuery() != null || url.getFragment() != null ? Optional.of("it must end with the path, such as /v1, without ? and #") : Optional.empty();
    }
}
