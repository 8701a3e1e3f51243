package org.potstill.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.UnsupportedFileSystemException;

/** A folder on any Hadoop file system. Small files are written whole under another name and then renamed. */
public final class HadoopFolder {
    public static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final int MAX_BYTES = 256 << 20;

    private final String what;
    private final Path path;
    private final FileSystem fs;

    /** @param what names the folder in messages: "cache", "student", "report" */
    public HadoopFolder(String what, String path, Configuration hadoop) {
        this.what = what;
        try {
            Path given = new Path(path);
            FileSystem found = given.getFileSystem(hadoop);
            // Without Hadoop's .crc files beside each file: people edit and copy what lies here.
            this.fs = found instanceof LocalFileSystem local ? local.getRawFileSystem() : found;
            this.path = fs.makeQualified(given);
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unwritable(what, path, e);
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

    /** Makes the folder and a file in it: an output that cannot be written is known before any work is done. */
    public void requireWritable() {
        Path probe = path("_probe-" + UUID.randomUUID());
        try {
            fs.mkdirs(path);
            fs.create(probe, false).close();
            fs.delete(probe, false);
        } catch (IOException e) {
            throw JobErrors.unwritable(what, path.toString(), e);
        }
    }

    public boolean has(String name) {
        try {
            return fs.exists(path(name));
        } catch (IOException e) {
            throw JobErrors.damagedJson(path(name).toString(), String.valueOf(e.getMessage()));
        }
    }

    /** Names in the folder, sorted; none when it does not exist. */
    public List<String> names() {
        try {
            List<String> names = new ArrayList<>();
            for (FileStatus status : fs.listStatus(path)) {
                names.add(status.getPath().getName());
            }
            names.sort(null);
            return names;
        } catch (FileNotFoundException e) {
            return List.of();
        } catch (IOException e) {
            throw JobErrors.damagedJson(path.toString(), String.valueOf(e.getMessage()));
        }
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
        try {
            writeText(name, JSON.writeValueAsString(content) + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    public void writeText(String name, String content) {
        write(name, content.getBytes(StandardCharsets.UTF_8));
    }

    public void write(String name, byte[] content) {
        Path incoming = path("_incoming-" + UUID.randomUUID());
        try {
            try (OutputStream out = fs.create(incoming, false)) {
                out.write(content);
            }
            replace(incoming, path(name));
        } catch (IOException e) {
            throw JobErrors.unwritable(what, path(name).toString(), e);
        }
    }

    /** Copies a local folder's files here, then makes it visible under its name. */
    public void publish(java.nio.file.Path local, String name) {
        Path incoming = path("_incoming-" + UUID.randomUUID());
        try {
            fs.copyFromLocalFile(false, true, new Path(local.toUri()), incoming);
            replace(incoming, path(name));
        } catch (IOException e) {
            throw JobErrors.unwritable(what, path(name).toString(), e);
        }
    }

    /** Copies a file or folder from here to a local path. */
    public void fetch(String name, java.nio.file.Path local) {
        try {
            fs.copyToLocalFile(false, path(name), new Path(local.toUri()), true);
        } catch (IOException e) {
            throw JobErrors.damagedJson(path(name).toString(), String.valueOf(e.getMessage()));
        }
    }

    public void delete(String name) {
        try {
            fs.delete(path(name), true);
        } catch (IOException e) {
            throw JobErrors.unwritable(what, path(name).toString(), e);
        }
    }

    private void replace(Path incoming, Path target) throws IOException {
        try {
            FileContext.getFileContext(target.toUri(), fs.getConf()).rename(incoming, target, Options.Rename.OVERWRITE);
        } catch (UnsupportedFileSystemException e) {
            // An object store known to FileSystem alone: nothing there renames in one step anyway.
            fs.delete(target, true);
            if (!fs.rename(incoming, target)) {
                throw new IOException("cannot rename " + incoming + " to " + target, e);
            }
        }
    }
}
