// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import java.io.IOException;

/** The token ids of a request, which its reply must be about. */
record RequestTokens(int[] ids) {
    void requireToken(int index, long id) throws MismatchException {
        if (index >= ids.length || ids[index] != id) {
            throw new MismatchException("token " + index + " is " + id + (index < ids.length ? ", not " + ids[index] : ", and the request has "
                    + ids.length + " tokens"));
        }
    }

    void requireLength(long length) throws MismatchException {
        if (length != ids.length) {
            throw new MismatchException("it has " + length + " tokens, and the request " + ids.length);
        }
    }

    /** Reads a list of token ids, which must be these; null is skipped. */
    void requireList(JsonReader json) throws IOException, MismatchException {
        if (ServerProtocol.isNull(json)) {
            return;
        }
        int count = 0;
        json.beginArray();
        while (json.hasNext()) {
            requireToken(count++, json.nextLong());
        }
        json.endArray();
        requireLength(count);
    }
}
