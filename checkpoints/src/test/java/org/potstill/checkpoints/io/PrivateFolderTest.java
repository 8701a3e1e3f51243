// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;

class PrivateFolderTest {
    @TempDir
    private Path folder;

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    @Test
    void aFolderThatIsNotThereIsMadeForItsUserAlone() throws IOException {
        Path made = PrivateFolder.in(folder.resolve("a/scratch"));
        assertEquals(folder.resolve("a/scratch"), made);
        assertEquals("rwx------", permissions(made));
    }

    @Test
    void oneOfThisUsersThatOthersMayReadIsUsedAsItIs() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertEquals(folder, PrivateFolder.in(folder));
    }

    @Test
    void inOneThatOthersMayWriteToThereIsOneForThisUser() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path own = PrivateFolder.in(folder);
        assertEquals(folder, own.getParent());
        assertEquals("rwx------", permissions(own));
        assertEquals(own, PrivateFolder.in(folder));
    }

    @Test
    void whatOthersMayHaveLeftThereIsNotUsed() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        Files.setPosixFilePermissions(PrivateFolder.in(folder), PosixFilePermissions.fromString("rwxrwx---"));
        UserException error = assertThrows(UserException.class, () -> PrivateFolder.in(folder));
        assertTrue(error.remedy().contains("teacher.scratch"), error.getMessage());
    }

    @Test
    void aFileInItsPlaceIsAnErrorOfTheUsers() throws IOException {
        Path file = Files.createFile(folder.resolve("scratch"));
        assertThrows(UserException.class, () -> PrivateFolder.in(file));
    }

    @Test
    void theRootOfAFileSystemCanBeTheFolder() throws IOException {
        Path zip = folder.resolve("files.zip");
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of("create", "true", "enablePosixFileAttributes", true))) {
            Path root = files.getPath("/");
            assertEquals(root, PrivateFolder.in(root).getRoot());
        }
    }
}
