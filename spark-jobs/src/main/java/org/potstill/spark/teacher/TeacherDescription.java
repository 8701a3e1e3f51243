// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.teacher.server.ServerModel;

/** Description of a teacher for provenance. */
public final class TeacherDescription {
    private TeacherDescription() {
    }

    public static ObjectNode of(CausalLm teacher, TeacherSource source) {
        ObjectNode json = HadoopFolder.JSON.createObjectNode()
                .put("name", teacher instanceof ServerModel served ? served.id() : source.name())
                .put("fingerprint", source.fingerprint(teacher))
                .put("weights", teacher.fingerprint())
                .put("precision", source.precision().name().toLowerCase(Locale.ROOT))
                .put("engine", teacher instanceof ServerModel ? "server" : source.engine().name().toLowerCase(Locale.ROOT))
                .put("parameters", teacher.parameters())
                .put("vocab_size", teacher.vocabSize())
                .put("max_position_embeddings", teacher.maxPositionEmbeddings());
        if (teacher instanceof Checkpoint checkpoint) {
            CausalLmConfig config = checkpoint.config();
            json.put("model_type", config.variant().family().name().toLowerCase(Locale.ROOT))
                    .put("hidden_size", config.hiddenSize())
                    .put("num_hidden_layers", config.numHiddenLayers())
                    .put("num_attention_heads", config.numAttentionHeads())
                    .put("num_key_value_heads", config.numKeyValueHeads())
                    .put("intermediate_size", config.intermediateSize());
        }
        return json;
    }
}
