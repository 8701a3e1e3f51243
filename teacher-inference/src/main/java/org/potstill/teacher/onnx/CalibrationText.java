// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.teacher.scoring.Batches;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * Calibration text for quantisation: prose, speeches, figures, code and some other languages, on which a model's
 * activations are measured. It is part of Potstill, not of the corpus, so that a quantised teacher is the same whatever
 * it labels.
 */
public final class CalibrationText implements CausalLm.Calibration {
    private static final int MAX_TOKENS = 1024;

    private final int[] ids;
    private final int maxPositionEmbeddings;
    private final TeacherOptions options;

    CalibrationText(CausalLm model, TeacherOptions options) {
        this.options = options;
        this.maxPositionEmbeddings = model.maxPositionEmbeddings();
        try (Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
            int[] all = tokenizer.encode(text());
            this.ids = Arrays.copyOf(all, Math.min(all.length, Math.min(MAX_TOKENS, maxPositionEmbeddings)));
        }
    }

    /** Returns the calibration that is used for all quantised models; it costs nothing until it is run. */
    public static CausalLm.Calibration calibration(CausalLm model, TeacherOptions options) {
        return graph -> new CalibrationText(model, options).channelMaxima(graph);
    }

    /** Returns the text. */
    public static String text() {
        try (InputStream in = CalibrationText.class.getResourceAsStream("calibration.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public Map<String, float[]> channelMaxima(OnnxModel model) {
        int padded = Batches.paddedLength(ids.length, maxPositionEmbeddings);
        try (OnnxEngine engine = OnnxEngine.open(model.bytes(), model.weights(), options)) {
            return engine.channelMaxima(new TokenBatch(List.of(ids), padded));
        }
    }
}
