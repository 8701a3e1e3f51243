// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** A small text file that a clone has instead of a large file which was not fetched. */
public enum PointerFile {
    GIT_LFS("Git LFS", "git lfs pull", "version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"),
    /** Also a symbolic link that was written as a file. */
    GIT_ANNEX("git-annex", "git annex get .", "/annex/objects/", ".git/annex/objects/"),
    DVC("DVC", "dvc pull", "outs:\n- md5: "),
    XET("Xet", "git xet pull", "# xet version ");

    private static final String PARENT = "../";

    private final String system;
    private final String command;
    private final List<String> beginnings;

    PointerFile(String system, String command, String... beginnings) {
        this.system = system;
        this.command = command;
        this.beginnings = List.of(beginnings);
    }

    /** Detects a pointer by the first bytes of a file, 64 or more if it is that long. */
    public static Optional<PointerFile> of(byte[] head) {
        return Arrays.stream(values()).filter(pointer -> pointer.begins(head)).findFirst();
    }

    /** Whether a file that begins with these bytes is such a pointer. */
    public boolean begins(byte[] head) {
        String text = new String(head, StandardCharsets.US_ASCII);
        while (text.startsWith(PARENT)) {
            text = text.substring(PARENT.length());
        }
        return beginnings.stream().anyMatch(text::startsWith);
    }

    /** Whether a symbolic link leads to where git-annex keeps files. */
    public static boolean isAnnexed(Path target) {
        return target.toString().contains("annex/objects/");
    }

    /** Returns the name of the software that made it. */
    public String system() {
        return system;
    }

    /** Returns the command that fetches the files of the current folder. */
    public String command() {
        return command;
    }
}
