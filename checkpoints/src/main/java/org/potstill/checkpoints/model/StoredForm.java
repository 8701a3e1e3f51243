// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.model.CausalLmConfig.Family;

/**
 * The form in which files store a model's tensors, where that differs from {@link TensorSource}: projections fused into one
 * tensor (Phi-3), rotated dimensions first ({@link RotatedRows}), and in Hugging Face folders gains of norms less 1 (Gemma).
 * Stored tensors have transformers' names.
 */
public final class StoredForm {
    private static final Map<String, List<String>> FUSED = Map.of(
            "self_attn.qkv_proj", List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "mlp.gate_up_proj", List.of("mlp.gate_proj", "mlp.up_proj"));

    /** Rows of tensors; a vector is one row. */
    @FunctionalInterface
    public interface Rows {
        /** Reads rows into a buffer, from its position on. */
        void read(String name, long firstRow, long rowCount, FloatBuffer target);
    }

    /** Place of a tensor's rows in a stored tensor. */
    private record Place(String stored, long firstRow) {
    }

    /** A tensor within a stored one. */
    private record Part(String name, long firstRow, long rows) {
    }

    private final CausalLmConfig config;
    private final boolean lessOne;
    private final Map<String, long[]> shapes;
    private final Map<String, Place> places = new LinkedHashMap<>();
    private final Map<String, List<Part>> parts = new LinkedHashMap<>();
    private final Map<String, long[]> stored = new LinkedHashMap<>();

    private StoredForm(CausalLmConfig config, Map<String, long[]> shapes, boolean lessOne) {
        this.config = config;
        this.lessOne = lessOne;
        this.shapes = shapes;
        shapes.forEach((name, shape) -> {
            String whole = fused(name);
            long[] before = stored.get(whole);
            long firstRow = before == null ? 0 : before[0];
            places.put(name, new Place(whole, firstRow));
            parts.computeIfAbsent(whole, any -> new ArrayList<>()).add(new Part(name, firstRow, shape[0]));
            stored.put(whole, before == null ? shape.clone() : new long[] {before[0] + shape[0], shape[1]});
        });
    }

    /**
     * Returns the form in a Hugging Face folder.
     *
     * @param shapes of the tensors, as {@link LlamaTensors#shapes} has them, in the order to write them
     */
    public static StoredForm huggingFace(CausalLmConfig config, Map<String, long[]> shapes) {
        return new StoredForm(config, shapes, config.variant().family().storesGainsLessOne());
    }

    /** Returns the form in a GGUF file, but for the tensors' names and the order of interleaved rows. */
    public static StoredForm gguf(CausalLmConfig config) {
        return new StoredForm(config, LlamaTensors.shapes(config), false);
    }

    /** Returns the name of the stored tensor that a tensor is, or is a part of. */
    private String fused(String name) {
        if (config.variant().family() == Family.MIXTRAL) {
            return name.replace(".mlp.", ".block_sparse_moe.").replace(".gate_proj.", ".w1.").replace(".up_proj.", ".w3.").replace(".down_proj.", ".w2.");
        }
        if (config.variant().family() == Family.PHI3) {
            for (Map.Entry<String, List<String>> entry : FUSED.entrySet()) {
                for (String part : entry.getValue()) {
                    if (name.endsWith("." + part + ".weight")) {
                        return name.substring(0, name.length() - part.length() - ".weight".length()) + entry.getKey() + ".weight";
                    }
                }
            }
        }
        return name;
    }

    /** Returns the shapes of the stored tensors, in the order of the tensors. */
    public Map<String, long[]> shapes() {
        return stored;
    }

    /** Returns whether files have the tensors as they are. */
    public boolean isPlain() {
        return !lessOne && config.traits().rotary().dimensions() == 0 && stored.keySet().equals(shapes.keySet());
    }

    public boolean has(String tensor) {
        return places.containsKey(tensor);
    }

    /** Reads rows of a tensor from stored ones. */
    public void decode(Rows file, String name, long firstRow, long rowCount, FloatBuffer target) {
        Place place = places.get(name);
        int begin = target.position();
        if (isReordered(name)) {
            for (long row = firstRow; row < firstRow + rowCount; row++) {
                file.read(place.stored, place.firstRow + RotatedRows.stored(row, config), 1, target);
            }
        } else {
            file.read(place.stored, place.firstRow + firstRow, rowCount, target);
        }
        if (isLessOne(name)) {
            addTo(target, begin, 1);
        }
    }

    /** Returns the rows of stored tensors, made from rows of tensors. */
    public Rows encoding(Rows tensors) {
        return (storedName, firstRow, rowCount, target) -> {
            if (shapes.get(storedName) != null && !isReordered(storedName)) {
                int begin = target.position();
                tensors.read(storedName, firstRow, rowCount, target);
                if (isLessOne(storedName)) {
                    addTo(target, begin, -1);
                }
                return;
            }
            for (long row = firstRow; row < firstRow + rowCount; row++) {
                for (Part part : parts.get(storedName)) {
                    if (row >= part.firstRow && row < part.firstRow + part.rows) {
                        tensors.read(part.name, unordered(part.name, row - part.firstRow), 1, target);
                    }
                }
            }
        };
    }

    /** Returns the row of a tensor that is stored as this one: the inverse of {@link RotatedRows#stored}. */
    private long unordered(String name, long storedRow) {
        if (!isReordered(name)) {
            return storedRow;
        }
        long head = storedRow - storedRow % config.headDim();
        for (long row = head; row < head + config.headDim(); row++) {
            if (RotatedRows.stored(row, config) == storedRow) {
                return row;
            }
        }
        throw new AssertionError(name);
    }

    private boolean isReordered(String name) {
        return config.traits().rotary().dimensions() > 0 && (name.contains(".q_proj.") || name.contains(".k_proj."));
    }

    private boolean isLessOne(String name) {
        return lessOne && LlamaTensors.isGain(name);
    }

    private static void addTo(FloatBuffer values, int begin, float number) {
        for (int i = begin; i < values.position(); i++) {
            values.put(i, values.get(i) + number);
        }
    }
}
