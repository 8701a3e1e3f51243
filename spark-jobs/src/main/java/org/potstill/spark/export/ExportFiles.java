// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.potstill.checkpoints.formats.onnx.OnnxExport;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.StudentFolder;
import org.potstill.student.Student;

/**
 * Locations of an export's files.
 *
 * @param target     folder of the files
 * @param path       the user's output path, fully qualified
 * @param modelCard  name of the model card's file
 * @param provenance name of the provenance file
 * @param names      names of all files that an export of this format may write, in the order of writing; the last one makes them
 *                   loadable as a model
 */
record ExportFiles(HadoopFolder target, String path, String modelCard, String provenance, List<String> names) {
    private static final String GGUF = ".gguf";
    private static final List<String> FOLDER = List.of(Student.WEIGHTS, OnnxExport.DATA, OnnxExport.MODEL, "tokenizer.json",
            "tokenizer_config.json", StudentFolder.GENERATION_CONFIG, "README.md", StudentFolder.PROVENANCE, Student.CONFIG);

    static ExportFiles of(ExportFormat format, String output, Configuration hadoop) {
        if (format != ExportFormat.GGUF) {
            HadoopFolder target = new HadoopFolder("export", output, hadoop);
            return new ExportFiles(target, target.path().toString(), "README.md", StudentFolder.PROVENANCE, FOLDER);
        }
        if (!output.endsWith(GGUF) || output.endsWith("/" + GGUF) || output.equals(GGUF)) {
            throw JobErrors.badOption("--output", "--to gguf writes one file, whose name has to end in " + GGUF);
        }
        Path file = new Path(output);
        String stem = file.getName().substring(0, file.getName().length() - GGUF.length());
        HadoopFolder target = new HadoopFolder("export", file.getParent() == null ? Path.CUR_DIR : file.getParent().toString(), hadoop);
        String card = stem + ".README.md";
        String provenance = stem + "." + StudentFolder.PROVENANCE;
        return new ExportFiles(target, target.path(file.getName()).toString(), card, provenance, List.of(card, provenance, file.getName()));
    }

    /** Returns the file without which the others cannot be loaded as a model. */
    String last() {
        return names.get(names.size() - 1);
    }

    /** Returns existing files that would be replaced or, in a folder, be mistaken for part of the model. */
    List<String> inTheWay() {
        List<String> there = new ArrayList<>(target.names());
        there.removeIf(HadoopFolder::isIncoming);
        if (isFile()) {
            there.retainAll(names);
        }
        return there;
    }

    /** Whether the model is a single file in a folder that may contain other files. */
    boolean isFile() {
        return last().endsWith(GGUF);
    }
}
