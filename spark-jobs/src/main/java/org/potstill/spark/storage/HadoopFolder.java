// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.storage;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsStatus;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.potstill.spark.errors.JobErrors;

/** A folder on any Hadoop file system, in which files appear atomically, see {@link AtomicFile}. */
public final class HadoopFolder {
    public static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final int MAX_BYTES = 256 << 20;
    private static final int PROBE_BYTES = 1 << 16;

    private final String what;
    private final Path path;
    private final FileSystem fs;

    /** @param what names the folder in messages: "cache", "student", "report" */
    public HadoopFolder(String what, String path, Configuration hadoop) {
        this.what = what;
        try {
            Path given = new Path(path);
            FileSystem found = given.getFileSystem(hadoop);
            // Without Hadoop's .crc files, because people edit and copy these files.
            this.fs = found instanceof LocalFileSystem local ? local.getRawFileSystem() : found;
            this.path = fs.makeQualified(given);
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unreachable(what, path, e);
        }
    }

    private HadoopFolder(String what, Path path, FileSystem fs) {
        this.what = what;
        this.path = path;
        this.fs = fs;
    }

    public Path path() {
        return path;
    }

    public Path path(String name) {
        return new Path(path, name);
    }

    public HadoopFolder folder(String name) {
        return new HadoopFolder(what, path(name), fs);
    }

    /** Checks, before any work is done, that the folder exists or can be created, is writable, and is not on a full disk. */
    public void requireWritable() {
        Path probe = path("_probe-" + UUID.randomUUID());
        try {
            fs.mkdirs(path);
            try (FSDataOutputStream out = fs.create(probe, false)) {
                out.write(new byte[PROBE_BYTES]);
            } finally {
                fs.delete(probe, false);
            }
        } catch (IOException | FSError e) {
            throw JobErrors.unwritable(what, path.toString(), e);
        }
    }

    /**
     * Checks that there is room for a file. Object stores, and file systems that do not tell, have room.
     *
     * @param where see {@link JobErrors#noRoom}
     */
    public void requireRoom(long bytes, String where) {
        FsStatus status;
        try {
            fs.mkdirs(path);
            status = fs.getStatus(path);
        } catch (IOException | UnsupportedOperationException e) {
            return;
        }
        if (status.getCapacity() > 0 && status.getRemaining() < bytes) {
            throw JobErrors.noRoom("the " + what, path.toString(), bytes, status.getRemaining(), where);
        }
    }

    /**
     * Checks, before any work is done, that writing to the folder destroys nothing that others put there.
     *
     * @param setting setting that names the folder
     * @param ours    beginnings of names that only a folder of the writer contains
     * @param files   names of files of others
     * @throws org.potstill.errors.UserException if one of {@code files} exists, but none of {@code ours}
     */
    public void requireOurs(String setting, List<String> ours, List<String> files) {
        List<String> there = names();
        if (there.stream().noneMatch(name -> ours.stream().anyMatch(name::startsWith))) {
            files.stream().filter(there::contains).findFirst().ifPresent(name -> {
                throw JobErrors.wouldOverwrite(setting, path.toString(), name);
            });
        }
    }

    public boolean has(String name) {
        try {
            return fs.exists(path(name));
        } catch (IOException e) {
            throw JobErrors.damagedJson(path(name).toString(), String.valueOf(e.getMessage()));
        }
    }

    /** Returns the names in the folder, sorted; empty if it does not exist. */
    public List<String> names() {
        return list().stream().map(status -> status.getPath().getName()).toList();
    }

    /** Lists the folder, sorted by name; empty if it does not exist. */
    public List<FileStatus> list() {
        try {
            FileStatus[] found = fs.listStatus(path);
            Arrays.sort(found, Comparator.comparing(status -> status.getPath().getName()));
            return List.of(found);
        } catch (FileNotFoundException e) {
            return List.of();
        } catch (IOException e) {
            throw JobErrors.damagedJson(path.toString(), String.valueOf(e.getMessage()));
        }
    }

    /** Lists all files below the folder; empty if it does not exist. */
    public List<FileStatus> tree() {
        try {
            List<FileStatus> files = new ArrayList<>();
            for (RemoteIterator<LocatedFileStatus> found = fs.listFiles(path, true); found.hasNext();) {
                files.add(found.next());
            }
            return files;
        } catch (FileNotFoundException e) {
            return List.of();
        } catch (IOException e) {
            throw JobErrors.damagedJson(path.toString(), String.valueOf(e.getMessage()));
        }
    }

    /** Whether this is the name of an incomplete file of a running or killed writer. */
    public static boolean isIncoming(String name) {
        return name.startsWith(AtomicFile.INCOMING);
    }

    public JsonNode readJson(String name) {
        try {
            return JSON.readTree(readText(name));
        } catch (JsonProcessingException e) {
            throw JobErrors.damagedJson(path(name).toString(), e.getOriginalMessage());
        }
    }

    public String readText(String name) {
        return new String(read(name), StandardCharsets.UTF_8);
    }

    public byte[] read(String name) {
        try (InputStream in = fs.open(path(name))) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw JobErrors.damagedJson(path(name).toString(), "it is longer than " + MAX_BYTES + " bytes");
            }
            return bytes;
        } catch (IOException e) {
            throw JobErrors.damagedJson(path(name).toString(), String.valueOf(e.getMessage()));
        }
    }

    public void writeJson(String name, Object content) {
        writeText(name, json(content));
    }

    /** Writes JSON unless a file of that name exists. */
    public void createJson(String name, Object content) {
        byte[] bytes = json(content).getBytes(StandardCharsets.UTF_8);
        create(name, out -> out.write(bytes));
    }

    private static String json(Object content) {
        try {
            return JSON.writeValueAsString(content) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    public void writeText(String name, String content) {
        write(name, content.getBytes(StandardCharsets.UTF_8));
    }

    public void write(String name, byte[] content) {
        write(name, out -> out.write(content));
    }

    public void write(String name, java.nio.file.Path local) {
        write(name, out -> Files.copy(local, out));
    }

    /** Writes a file, replacing any file of that name. */
    public void write(String name, Content content) {
        try (AtomicFile file = AtomicFile.replace(fs, path(name))) {
            content.writeTo(file.out());
            file.publishOver();
        } catch (IOException | FSError e) {
            throw JobErrors.unwritable(what, path(name).toString(), e);
        }
    }

    /** Content of a file. */
    public interface Content {
        void writeTo(FSDataOutputStream out) throws IOException;
    }

    /**
     * Writes a file atomically, unless one of that name exists, which is assumed to have the same content.
     *
     * @return the file's length in bytes
     */
    public long create(String name, Content content) {
        Path target = path(name);
        try {
            if (!fs.exists(target)) {
                try (AtomicFile file = AtomicFile.create(fs, target)) {
                    content.writeTo(file.out());
                    file.publish();
                }
            }
            return fs.getFileStatus(target).getLen();
        } catch (IOException | FSError e) {
            throw JobErrors.unwritable(what, target.toString(), e);
        }
    }

    /** Copies a file or folder of this folder to a local path. */
    public void fetch(String name, java.nio.file.Path local) {
        try {
            fs.copyToLocalFile(false, path(name), new Path(local.toUri()), true);
        } catch (IOException e) {
            throw JobErrors.damagedJson(path(name).toString(), String.valueOf(e.getMessage()));
        }
    }

    public void delete(String name) {
        try {
            // Not by the raw local file system, which would leave other tools' .crc files behind.
            path(name).getFileSystem(fs.getConf()).delete(path(name), true);
        } catch (IOException e) {
            throw JobErrors.unwritable(what, path(name).toString(), e);
        }
    }
}
