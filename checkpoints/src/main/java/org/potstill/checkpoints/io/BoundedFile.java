// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Optional;

/**
 * A file of any size for random reads, never past its end.
 *
 * <p>It uses plain reads, neither a mapping nor a channel: closing is immediate, a file that shrinks causes an exception
 * instead of a crash, and a thread that Spark interrupts does not close the file for all others. Thread-safe.
 */
public final class BoundedFile implements AutoCloseable {
    private static final int DIGEST_CHUNK_BYTES = 1 << 20;
    private static final int MAX_POINTER_BYTES = 1024;

    private final Path path;
    private final RandomAccessFile file;
    private final long size;

    private BoundedFile(Path path, RandomAccessFile file, long size) {
        this.path = path;
        this.file = file;
        this.size = size;
    }

    public static BoundedFile open(Path path) {
        try {
            RandomAccessFile file = new RandomAccessFile(path.toFile(), "r");
            try {
                BoundedFile opened = new BoundedFile(path, file, file.length());
                opened.refusePointerOrPage();
                return opened;
            } catch (IOException | RuntimeException e) {
                file.close();
                throw e;
            }
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(path, e);
        }
    }

    /** Rejects what may be stored in place of any file: the pointer of a clone without Git LFS or git-annex, or the page of a server. */
    private void refusePointerOrPage() {
        signature().filter(found -> found == FileSignature.WEB_PAGE).ifPresent(page -> {
            throw UnsupportedErrors.foreign(path, page);
        });
        if (size > MAX_POINTER_BYTES) {
            return;
        }
        PointerFile.of(read(0, (int) size, "its start").array()).ifPresent(pointer -> {
            throw UnsupportedErrors.pointer(path, pointer);
        });
    }

    /** Detects the format of a file that is not text. */
    public Optional<FileSignature> signature() {
        return FileSignature.of(read(0, (int) Math.min(size, FileSignature.BYTES), "its start").array(), false);
    }

    /** Returns whether a name is taken, even by a link that leads nowhere, which {@link #open} then reports. */
    public static boolean exists(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    public Path path() {
        return path;
    }

    public long size() {
        return size;
    }

    /** Reads {@code length} bytes from {@code offset} on, little-endian; checks the range before allocating. */
    public ByteBuffer read(long offset, int length, String what) {
        requireInside(offset, length, what);
        byte[] bytes = new byte[length];
        readInto(offset, bytes, length);
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Reads {@code length} bytes from {@code offset} on into {@code bytes}. */
    public void readInto(long offset, byte[] bytes, int length) {
        try {
            synchronized (file) {
                file.seek(offset);
                file.readFully(bytes, 0, length);
            }
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(path, e);
        }
    }

    /** Feeds the whole file to a digest. */
    public void digest(MessageDigest digest) {
        byte[] chunk = new byte[(int) Math.min(DIGEST_CHUNK_BYTES, size)];
        for (long offset = 0; offset < size; offset += chunk.length) {
            int length = (int) Math.min(chunk.length, size - offset);
            readInto(offset, chunk, length);
            digest.update(chunk, 0, length);
        }
    }

    public void requireInside(long offset, long length, String what) {
        if (offset < 0 || length < 0 || offset > size || length > size - offset) {
            long end = offset < 0 || length < 0 || offset > Long.MAX_VALUE - length ? Long.MAX_VALUE : offset + length;
            throw CheckpointErrors.truncated(path, what, end, size);
        }
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(path, e);
        }
    }

    /** Reads a small text file; allocates nothing for a larger one. */
    public static String text(Path path, int maxBytes) {
        try (BoundedFile file = BoundedFile.open(path)) {
            if (file.size() > maxBytes) {
                throw CheckpointErrors.tooLarge(path, file.size(), maxBytes);
            }
            return new String(file.read(0, (int) file.size(), path.toString()).array(), StandardCharsets.UTF_8);
        }
    }
}
