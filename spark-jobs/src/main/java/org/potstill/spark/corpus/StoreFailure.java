package org.potstill.spark.corpus;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import org.apache.hadoop.security.AccessControlException;
import org.potstill.spark.Failures;

/** A failure of the file system itself, as opposed to bad content; a retry may succeed. */
final class StoreFailure extends IOException {
    private static final long serialVersionUID = 1;

    StoreFailure(IOException origin) {
        super(origin.getMessage(), origin);
    }

    /** Wraps an exception of a file system, unless a retry cannot help. */
    static IOException of(IOException thrown) {
        boolean lasting = thrown instanceof FileNotFoundException || thrown instanceof NoSuchFileException
                || thrown instanceof AccessDeniedException || thrown instanceof AccessControlException;
        return lasting ? thrown : new StoreFailure(thrown);
    }

    static boolean isBehind(Throwable thrown) {
        return Failures.firstCause(thrown, StoreFailure.class).isPresent();
    }
}
