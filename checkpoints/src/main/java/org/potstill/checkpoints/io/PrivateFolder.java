// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Folders that only the user of this process can write to. Files in a scratch folder, native libraries among them, are
 * loaded unchecked, and the folder for temporary files is writable by everyone.
 */
public final class PrivateFolder {
    private static final Set<PosixFilePermission> OWNERS = PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> OTHERS_WRITE = Set.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

    private PrivateFolder() {
    }

    /**
     * Returns the folder, created for this user alone if missing; if it is another user's or others can write to it, a
     * folder inside it that is this user's.
     */
    public static Path in(Path folder) {
        try {
            if (!folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                return Files.createDirectories(folder);
            }
            Path parent = folder.toAbsolutePath().getParent();
            // The root has none.
            if (parent != null) {
                Files.createDirectories(parent);
                make(folder);
            }
            if (isPrivate(folder)) {
                return folder;
            }
            Path own = folder.resolve("potstill-" + userName());
            make(own);
            if (isPrivate(own)) {
                return own;
            }
            throw CheckpointErrors.foreignFolder(own, Files.getOwner(own).getName());
        } catch (AccessDeniedException e) {
            throw CheckpointErrors.foreignFolder(folder, owner(folder));
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(folder, e);
        }
    }

    /** Returns a private folder inside the folder for temporary files. */
    static Path temporary(String name) {
        return in(Path.of(System.getProperty("java.io.tmpdir"), name + "-" + userName()));
    }

    private static void make(Path folder) throws IOException {
        try {
            Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(OWNERS));
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(folder)) {
                throw e;
            }
        }
    }

    private static boolean isPrivate(Path folder) throws IOException {
        if (!Files.isWritable(folder) || Files.getPosixFilePermissions(folder).stream().anyMatch(OTHERS_WRITE::contains)) {
            return false;
        }
        // On some file systems not the user who runs the process.
        Path probe = Files.createTempFile(folder, ".owner", "");
        try {
            return Files.getOwner(probe).equals(Files.getOwner(folder));
        } finally {
            Files.delete(probe);
        }
    }

    private static String owner(Path folder) {
        try {
            return Files.getOwner(folder).getName();
        } catch (IOException e) {
            return "another user";
        }
    }

    private static String userName() {
        return System.getProperty("user.name", "").replaceAll("[^A-Za-z0-9._@-]", "_");
    }
}
