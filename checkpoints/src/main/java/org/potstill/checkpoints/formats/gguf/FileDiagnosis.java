// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.FileSignature;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.errors.UserException;

/** Diagnosis of a file given as a model that is not a GGUF file. */
final class FileDiagnosis {
    private FileDiagnosis() {
    }

    /** @param magic its first four bytes, little-endian */
    static UserException of(BoundedFile given, int magic) {
        Path file = given.path();
        Optional<FileSignature> found = given.signature();
        if (found.isPresent()) {
            return UnsupportedErrors.foreign(file, found.get());
        }
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (name.matches(".*\\.gguf[.-]?(part|split).*|.*\\.part[0-9]+of[0-9]+|.*-split-[a-z]+")) {
            return UnsupportedErrors.partOfFile(file);
        }
        if (name.matches(".*\\.(bin|pt|pth|ckpt)")) {
            return UnsupportedErrors.pickle(file);
        }
        if (name.endsWith(".onnx")) {
            return UnsupportedErrors.readyMade(file, file);
        }
        if (name.matches(".*\\.(h5|msgpack)")) {
            return UnsupportedErrors.otherFramework(file);
        }
        if (name.matches(".*\\.(json|model|jinja|txt|md)")) {
            return UnsupportedErrors.describesOnly(file);
        }
        return CheckpointErrors.notGguf(file, magic);
    }
}
