// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Precision;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Cluster;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * A model to evaluate and options with which executors run it, the same for teacher and student as in serving.
 *
 * @param setting     name of the setting that holds the path, for messages
 * @param uri         Hadoop path of its file or folder
 * @param scratch     node-local folder for compiled weights
 * @param fingerprint fingerprint of the weights seen by the driver
 */
record EvaluatedModel(String setting, String uri, String scratch, TeacherOptions.Engine engine, TeacherOptions.Device device,
        Precision precision, String fingerprint) implements Serializable {
    Path path(Configuration hadoop) {
        return TeacherSource.localPath(setting, uri, scratch, hadoop);
    }

    /** Opens the model on an executor and checks that it is the one that the driver saw. */
    CausalLm open(Configuration hadoop) {
        CausalLm model = Teachers.model(path(hadoop));
        String found = model.fingerprint();
        if (!found.equals(fingerprint)) {
            model.close();
            throw JobErrors.modelDiffers(setting, uri, fingerprint, found);
        }
        return model;
    }

    TeacherOptions options(int threads) {
        return new TeacherOptions(engine, device, Cluster.gpuOfTask().orElse(0), precision, threads, Path.of(scratch), TargetSpec.topK(1));
    }

    /** Returns the same model with another folder for compiled weights. */
    EvaluatedModel in(Path folder) {
        return new EvaluatedModel(setting, uri, folder.toString(), engine, device, precision, fingerprint);
    }

    String name() {
        return new org.apache.hadoop.fs.Path(uri).getName();
    }
}
