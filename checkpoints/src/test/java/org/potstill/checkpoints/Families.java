// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.gguf.GgufExport;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.TinyLlama;

/** Shapes of small models, one for each thing that sets members of the Llama family apart, by name. */
public final class Families {
    private Families() {
    }

    public static Map<String, CausalLmConfig> all() {
        Map<String, CausalLmConfig> all = new LinkedHashMap<>();
        all.put("llama", TinyLlama.config());
        all.put("llama-untied", shape(16, false, Variant.PLAIN));
        all.put("llama-biases", shape(16, true, new Variant(Family.LLAMA, true, true, 0, List.of(), List.of())));
        all.put("llama-head-size", shape(24, true, Variant.PLAIN));
        all.put("llama-scaled-rope", shape(16, true, new Variant(Family.LLAMA, false, false, 0, List.of(), divisors(8))));
        all.put("mistral-window", shape(16, false, new Variant(Family.MISTRAL, false, false, 40, List.of(0, 1), List.of())));
        all.put("qwen2", shape(16, true, new Variant(Family.QWEN2, true, false, 0, List.of(), List.of())));
        all.put("qwen2-untied", shape(16, false, new Variant(Family.QWEN2, true, false, 0, List.of(), List.of())));
        all.put("qwen3", shape(32, true, new Variant(Family.QWEN3, false, false, 0, List.of(), List.of())));
        all.put("qwen3-untied", shape(32, false, new Variant(Family.QWEN3, false, false, 0, List.of(), List.of())));
        return all;
    }

    /** For {@code bench/gguf_parity.py}: writes each, with random weights, as {@link GgufExport} does in F32. Argument: a folder. */
    public static void main(String[] args) {
        Path folder = Path.of(args[0]);
        all().forEach((name, config) -> {
            Path source = folder.resolve("source.gguf");
            TinyLlama.write(source, 11, config);
            try (Checkpoint model = Checkpoints.open(source)) {
                new GgufExport(model, GgufExport.Numbers.F32).write(name, folder.resolve(name + ".gguf"));
            }
        });
    }

    public static CausalLmConfig shape(int headDim, boolean tied, Variant variant) {
        return new CausalLmConfig(320, 64, 128, 2, 4, 2, headDim, 256, 1e-5f, 10_000f, tied, variant);
    }

    private static List<Float> divisors(int count) {
        List<Float> divisors = new ArrayList<>();
        for (int j = 0; j < count; j++) {
            divisors.add(1 + j * 0.75f);
        }
        return divisors;
    }
}
