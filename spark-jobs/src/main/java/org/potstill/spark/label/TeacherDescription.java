package org.potstill.spark.label;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.spark.HadoopFolder;

/** What provenance records of a teacher. */
final class TeacherDescription {
    private TeacherDescription() {
    }

    static ObjectNode of(Checkpoint teacher, String uri) {
        CausalLmConfig config = teacher.config();
        return HadoopFolder.JSON.createObjectNode()
                .put("name", new org.apache.hadoop.fs.Path(uri).getName())
                .put("fingerprint", teacher.fingerprint())
                .put("parameters", teacher.tensors().values().stream()
                        .mapToLong(shape -> java.util.Arrays.stream(shape).reduce(1, Math::multiplyExact)).sum())
                .put("vocab_size", config.vocabSize()).put("hidden_size", config.hiddenSize())
                .put("num_hidden_layers", config.numHiddenLayers())
                .put("num_attention_heads", config.numAttentionHeads())
                .put("num_key_value_heads", config.numKeyValueHeads())
                .put("intermediate_size", config.intermediateSize());
    }
}
