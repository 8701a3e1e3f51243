package org.potstill.checkpoints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.potstill.errors.UserException;

final class CausalLmConfigTest {
    private static final CausalLmConfig CONFIG =
            new CausalLmConfig(49152, 576, 1536, 30, 9, 3, 64, 8192, 1e-5f, 100_000f, true);

    @Test
    void whatIsWrittenIsRead() {
        assertEquals(CONFIG, CausalLmConfig.fromJson(CONFIG.toJson(), "config.json"));
    }

    @Test
    void transformersFiveSpellingIsRead() {
        String json = "{\"vocab_size\":8,\"hidden_size\":8,\"intermediate_size\":8,\"num_hidden_layers\":1,"
                + "\"num_attention_heads\":2,\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":500000.0}}";
        CausalLmConfig config = CausalLmConfig.fromJson(json, "config.json");
        assertEquals(500_000f, config.ropeTheta());
        assertEquals(2, config.numKeyValueHeads());
        assertEquals(4, config.headDim());
    }

    @Test
    void whatTheModelCannotDoIsRefusedByName() {
        for (String[] change : List.of(
                new String[] {"\"llama\"", "\"mamba\"", "model_type"},
                new String[] {"\"silu\"", "\"gelu\"", "hidden_act"},
                new String[] {"\"attention_bias\": false", "\"attention_bias\": true", "attention_bias"},
                new String[] {"\"num_key_value_heads\": 3", "\"num_key_value_heads\": 4", "num_key_value_heads"},
                new String[] {"\"num_key_value_heads\": 3", "\"num_key_value_heads\": 0", "num_key_value_heads"},
                new String[] {"\"head_dim\": 64", "\"head_dim\": 63", "head_dim"},
                new String[] {"\"vocab_size\": 49152", "\"vocab_size\": 99999999999", "vocab_size"},
                new String[] {"\"vocab_size\": 49152", "\"vocab_size\": \"many\"", "vocab_size"},
                new String[] {"\"hidden_size\": 576,", "", "hidden_size"},
                new String[] {"\"mlp_bias\": false", "\"rope_scaling\": {\"rope_type\": \"llama3\"}", "rope_scaling"})) {
            String json = CONFIG.toJson().replace(change[0], change[1]);
            UserException e = assertThrows(UserException.class, () -> CausalLmConfig.fromJson(json, "config.json"), json);
            assertTrue(e.cause().contains(change[2]), e.cause());
        }
    }
}
