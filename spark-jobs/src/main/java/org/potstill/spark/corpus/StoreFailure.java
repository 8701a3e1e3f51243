package org.potstill.spark.corpus;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import org.apache.hadoop.security.AccessControlException;
import org.potstill.spark.Failures;

/** A file system that fails to give bytes, whatever they are: what is asked again later may come. */
final class StoreFailure extends IOException {
    private static final long serialVersionUID = 1;

    StoreFailure(IOException origin) {
        super(origin.getMessage(), origin);
    }

    /** The failure for what a file system threw, unless asking again cannot help. */
    static IOException of(IOException thrown) {
        boolean lasting = thrown instanceof FileNotFoundException || thrown instanceof NoSuchFileException
                || thrown instanceof AccessDeniedException || thrown instanceof AccessControlException;
        return lasting ? thrown : new StoreFailure(thrown);
    }

    static boolean isBehind(Throwable thrown) {
        return Failures.isCausedBy(thrown, StoreFailure.class);
    }
}
