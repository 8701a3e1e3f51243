// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongUnaryOperator;
import java.util.function.UnaryOperator;
import org.potstill.checkpoints.model.CausalLmConfig.Family;

/**
 * The form in which files store a model's tensors, where that differs from {@link TensorSource}: projections fused into one
 * tensor (Phi-3), experts stacked into one (GGUF), rotated dimensions first ({@link RotatedRows}), and in Hugging Face folders
 * gains of norms less 1 (Gemma). Stored tensors have transformers' names; stacked experts are {@code mlp.experts.gate_proj}.
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
    private final Map<String, long[]> tensors;
    private final Map<String, Place> places = new LinkedHashMap<>();
    private final Map<String, List<Part>> parts = new LinkedHashMap<>();
    private final Map<String, long[]> stored = new LinkedHashMap<>();

    /** @param whole name of the stored tensor that a tensor is, or is a part of */
    private StoredForm(CausalLmConfig config, Map<String, long[]> tensors, boolean lessOne, UnaryOperator<String> whole) {
        this.config = config;
        this.lessOne = lessOne;
        this.tensors = Collections.unmodifiableMap(tensors);
        tensors.forEach((name, shape) -> {
            String in = whole.apply(name);
            long[] before = stored.get(in);
            long firstRow = before == null ? 0 : before[0];
            places.put(name, new Place(in, firstRow));
            parts.computeIfAbsent(in, any -> new ArrayList<>()).add(new Part(name, firstRow, shape[0]));
            stored.put(in, before == null ? shape.clone() : new long[] {before[0] + shape[0], shape[1]});
        });
    }

    /**
     * Returns the form in a Hugging Face folder.
     *
     * @param tensors as {@link LlamaTensors#shapes} has them, in the order to write them
     */
    public static StoredForm huggingFace(CausalLmConfig config, Map<String, long[]> tensors) {
        Family family = config.variant().family();
        return new StoredForm(config, tensors, family.isGemma(), family == Family.MIXTRAL ? StoredForm::ofMixtral : fusing(family));
    }

    /**
     * Returns the form in a GGUF file, but for the tensors' names and the order of interleaved rows.
     *
     * @param stacked whether a layer's experts are one tensor, {@code [experts, out, in]}, as in files from April 2024 on
     */
    public static StoredForm gguf(CausalLmConfig config, boolean stacked) {
        boolean stacks = stacked && config.traits().experts().count() > 0;
        StoredForm form = new StoredForm(config, LlamaTensors.shapes(config), false,
                stacks ? LlamaTensors::ofAllExperts : fusing(config.variant().family()));
        form.parts.forEach((whole, of) -> {
            if (stacks && form.places.get(whole) == null) {
                form.stored.put(whole, new long[] {of.size(), of.get(0).rows, form.stored.get(whole)[1]});
            }
        });
        return form;
    }

    private static String ofMixtral(String name) {
        return name.replace(".mlp.", ".block_sparse_moe.").replace(".gate_proj.", ".w1.").replace(".up_proj.", ".w3.").replace(".down_proj.", ".w2.");
    }

    private static UnaryOperator<String> fusing(Family family) {
        return family == Family.PHI3 ? StoredForm::fused : UnaryOperator.identity();
    }

    private static String fused(String name) {
        for (Map.Entry<String, List<String>> entry : FUSED.entrySet()) {
            for (String part : entry.getValue()) {
                if (name.endsWith("." + part + ".weight")) {
                    return name.substring(0, name.length() - part.length() - ".weight".length()) + entry.getKey() + ".weight";
                }
            }
        }
        return name;
    }

    /** Returns the shapes of the tensors. */
    public Map<String, long[]> tensors() {
        return tensors;
    }

    /** Returns the shapes of the stored tensors, in the order of the tensors. */
    public Map<String, long[]> shapes() {
        return stored;
    }

    public boolean has(String tensor) {
        return places.containsKey(tensor);
    }

    /** Reads rows of a tensor from stored ones. */
    public void decode(Rows file, String name, long firstRow, long rowCount, FloatBuffer target) {
        Place place = places.get(name);
        int begin = target.position();
        readRuns(place.stored, row -> place.firstRow + (isReordered(name) ? RotatedRows.stored(row, config) : row),
                firstRow, firstRow + rowCount, file, target);
        if (isLessOne(name)) {
            addTo(target, begin, 1);
        }
    }

    /** Returns the rows of stored tensors, made from rows of tensors. */
    public Rows encoding(Rows model) {
        return (storedName, firstRow, rowCount, target) -> {
            int begin = target.position();
            for (Part part : parts.get(storedName)) {
                long from = Math.max(firstRow, part.firstRow);
                long to = Math.min(firstRow + rowCount, part.firstRow + part.rows);
                readRuns(part.name, row -> isReordered(part.name) ? RotatedRows.unstored(row - part.firstRow, config) : row - part.firstRow,
                        from, to, model, target);
            }
            if (isLessOne(storedName)) {
                addTo(target, begin, -1);
            }
        };
    }

    /** Reads rows {@code from} to {@code to}, as many at once as are neighbours in the source, too. */
    private static void readRuns(String name, LongUnaryOperator source, long from, long to, Rows rows, FloatBuffer target) {
        long row = from;
        while (row < to) {
            long first = source.applyAsLong(row);
            long run = 1;
            while (row + run < to && source.applyAsLong(row + run) == first + run) {
                run++;
            }
            rows.read(name, first, run, target);
            row += run;
        }
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
