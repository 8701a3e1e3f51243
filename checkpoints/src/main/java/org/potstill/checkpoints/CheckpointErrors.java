package org.potstill.checkpoints;

import java.io.IOException;
import java.nio.file.Path;
import org.potstill.errors.UserException;

/** Every error of this module that a user can mend. */
final class CheckpointErrors {
    private static final String FETCH_AGAIN = "fetch or export the file again and compare its size and checksum";

    private CheckpointErrors() {
    }

    static UserException unreadable(Path file, IOException e) {
        return new UserException("cannot read " + file, String.valueOf(e), "check the path and its permissions", e);
    }

    static UserException unwritable(Path file, IOException e) {
        return new UserException("cannot write " + file, String.valueOf(e),
                "check that the folder exists, is writable and has room", e);
    }

    static UserException malformed(Path file, String format, String cause) {
        return new UserException("cannot read " + file + ": it is not a sound " + format + " file", cause, FETCH_AGAIN);
    }

    static UserException truncated(Path file, String what, long end, long size) {
        return new UserException("cannot read " + file + ": the file is truncated",
                what + " ends at byte " + end + " but the file has " + size, FETCH_AGAIN);
    }

    static UserException unsupportedElementType(Path file, String tensor, String type, String supported) {
        return new UserException("cannot read " + file + ": tensor " + tensor + " has element type " + type,
                "supported types are " + supported, "convert the checkpoint to one of these");
    }

    static UserException unknownTensor(Path file, String name) {
        return new UserException("no tensor " + name + " in " + file, "the checkpoint does not have it",
                "use a complete checkpoint of a Llama-family model");
    }

    static UserException badConfig(String source, String cause) {
        return new UserException("unusable model configuration in " + source, cause,
                "use a Llama-family model with a sound configuration");
    }
}
