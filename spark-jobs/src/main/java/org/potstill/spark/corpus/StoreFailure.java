// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.util.functional.CallableRaisingIOE;
import org.potstill.spark.Failures;

/** A failure of the file system itself, as opposed to bad content; a retry may succeed. */
final class StoreFailure extends IOException {
    private static final long serialVersionUID = 1;

    private StoreFailure(IOException origin) {
        super(origin.getMessage(), origin);
    }

    /** Returns what a file system gives; marks its exceptions as {@code StoreFailure} unless asking again cannot help. */
    static <T> T ofStore(CallableRaisingIOE<T> request) throws IOException {
        try {
            return request.apply();
        } catch (FileNotFoundException | NoSuchFileException | AccessDeniedException | AccessControlException e) {
            throw e;
        } catch (IOException e) {
            throw new StoreFailure(e);
        }
    }

    static boolean isBehind(Throwable thrown) {
        return Failures.firstCause(thrown, StoreFailure.class).isPresent();
    }
}
