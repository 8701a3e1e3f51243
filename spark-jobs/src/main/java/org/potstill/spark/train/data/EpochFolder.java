// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.Cluster;
import org.potstill.spark.storage.HadoopFolder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The {@link EpochFiles} of a training run. */
public final class EpochFolder {
    private static final Logger LOG = LoggerFactory.getLogger(EpochFolder.class);

    private final HadoopFolder parent;
    private final String name;
    private final HadoopFolder folder;
    private final TrainingData data;
    private final TrainingPlan plan;
    private final String run;
    private final Broadcast<SerializableConfiguration> hadoop;

    /**
     * @param parent   reached by all executors
     * @param name     of the folder in it, which contains nothing else
     * @param identity determines the sequences and their order, with the plan and the epoch
     */
    public EpochFolder(JavaSparkContext sc, HadoopFolder parent, String name, TrainingData data, TrainingPlan plan, ObjectNode identity) {
        this.parent = parent;
        this.name = name;
        this.folder = parent.folder(name);
        this.data = data;
        this.plan = plan;
        this.run = Sha256.of(identity + "\n" + plan).substring(0, 16);
        this.hadoop = Cluster.hadoop(sc);
    }

    /** Returns the files of an epoch, after writing those that do not exist; deletes all but these and those of the epoch before. */
    public EpochFiles of(int epoch) {
        String ofEpoch = name(epoch);
        folder.names().stream().filter(other -> !other.equals(ofEpoch) && !other.equals(name(epoch - 1))).forEach(folder::delete);
        EpochFiles files = EpochFiles.of(folder.path(ofEpoch).toString(), plan, data.bytes(), hadoop);
        if (!files.areWritten()) {
            folder.requireRoom(data.bytes(), "set train.scratch to a folder on a larger disk that the driver and all executors reach");
            LOG.info("writing the {} sequences of epoch {} in the order of training, about {} MiB, to {}", data.size(), epoch + 1, data.bytes() >> 20,
                    files.path());
            files.write(data.ordered(epoch), "order epoch " + (epoch + 1), data.tokens());
        }
        return files;
    }

    private String name(int epoch) {
        return String.format(Locale.ROOT, "%s-%06d", run, epoch);
    }

    /** Deletes the folder. */
    public void delete() {
        parent.delete(name);
    }
}
