// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** SHA-256 of files of any size, and of texts. */
public final class Sha256 {
    private Sha256() {
    }

    /** Returns the SHA-256 of a file, in hex. */
    public static String of(Path path) {
        try (BoundedFile file = BoundedFile.open(path)) {
            return of(List.of(file));
        }
    }

    /** Returns the SHA-256 of a text's UTF-8, in hex. */
    public static String of(String text) {
        return HexFormat.of().formatHex(digest().digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    /** Returns the SHA-256 of the concatenated contents of files, in hex. */
    public static String of(List<BoundedFile> files) {
        MessageDigest sha = digest();
        files.forEach(file -> file.digest(sha));
        return HexFormat.of().formatHex(sha.digest());
    }

    /** Returns a new SHA-256 digest. */
    public static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
