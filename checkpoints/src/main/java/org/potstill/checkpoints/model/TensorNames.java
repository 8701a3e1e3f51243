// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The names of a checkpoint's tensors in transformers' form: without the prefixes of {@code torch.compile}, data-parallel
 * training and enclosing models, and with the {@code model.} that base models omit.
 */
public final class TensorNames {
    private static final Pattern WRAPPERS = Pattern.compile("_orig_mod\\.|_fsdp_wrapped_module\\.|_checkpoint_wrapped_module\\.");
    private static final Pattern MODULES = Pattern.compile("^(module\\.)+");
    private static final Pattern OF_BODY = Pattern.compile("(layers|embed_tokens|norm)\\..*");
    private static final List<String> BODIES = List.of("model.", "", "language_model.model.", "model.language_model.",
            "language_model.", "model.model.", "model.language_model.model.");
    private static final List<String> HEADS = List.of("", "language_model.", "model.", "model.language_model.");
    /** Parts of a model that also sees or hears, which text does not go through. */
    private static final Pattern SENSES = Pattern.compile("(model\\.)?(vision_tower|vision_model|visual|vision_encoder|multi_modal_projector|mm_projector|"
            + "connector|audio_tower|image_newline|embed_vision|embed_audio)\\b.*");
    /** What older versions of transformers saved although the configuration implies it. */
    private static final Pattern BUFFERS = Pattern.compile(".*\\.(rotary_emb\\.(inv_freq|original_inv_freq|cos_cached|sin_cached)|masked_bias|attn\\.bias|"
            + "position_ids)");

    private final String body;

    /** @param found all names of the checkpoint */
    public TensorNames(Set<String> found) {
        List<String> bare = found.stream().map(TensorNames::unwrapped).toList();
        this.body = BODIES.stream().filter(prefix -> bare.contains(prefix + "embed_tokens.weight")).findFirst().orElse("model.");
    }

    private static String unwrapped(String name) {
        return MODULES.matcher(WRAPPERS.matcher(name).replaceAll("")).replaceFirst("");
    }

    public String canonical(String name) {
        String bare = unwrapped(name);
        for (String head : HEADS) {
            if (bare.equals(head + LlamaTensors.HEAD)) {
                return LlamaTensors.HEAD;
            }
        }
        String rest = bare.startsWith(body) ? bare.substring(body.length()) : "";
        return OF_BODY.matcher(rest).matches() ? "model." + rest : bare;
    }

    /** Whether the forward pass does not need a tensor of this name that the configuration does not call for. */
    public static boolean isBuffer(String canonical, String elementType) {
        // No weight is of these types, not even a quantised one.
        return BUFFERS.matcher(canonical).matches() || elementType.equals("BOOL") || elementType.equals("I64");
    }

    public static boolean isOfOtherSenses(String canonical) {
        return SENSES.matcher(canonical).matches();
    }
}
