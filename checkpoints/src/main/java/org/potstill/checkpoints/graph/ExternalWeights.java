// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.io.ScratchFolder;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.RotaryTable;
import org.potstill.checkpoints.model.TensorSource;

/**
 * A checkpoint's weights as a single raw file, laid out by {@link WeightsLayout}, to which {@link LlamaGraph} refers.
 * ONNX Runtime maps the file, so models may exceed 2 GB and the Java heap never holds the weights.
 *
 * <p>There is one folder per checkpoint, precision and layout version, see {@link ScratchFolder}.
 */
public final class ExternalWeights {
    public static final String FILE_NAME = "weights.bin";

    /** Version to increment whenever the bytes written for a checkpoint change. */
    private static final int LAYOUT_VERSION = 2;

    private final WeightsLayout layout;
    private final FileChannel channel;
    private final TensorWriter writer = new TensorWriter();

    private ExternalWeights(WeightsLayout layout, FileChannel channel) {
        this.layout = layout;
        this.channel = channel;
    }

    /**
     * Returns the folder with the checkpoint's weights below {@code scratch}, written if missing. If several processes
     * ask at once, one writes and the others wait.
     *
     * @param maxima called only for {@link Precision#INT8}, if the file is missing: see {@link Int8Weights}
     */
    public static Path materialize(TensorSource checkpoint, Precision precision, Supplier<Map<String, float[]>> maxima, Path scratch) {
        WeightsLayout layout = WeightsLayout.of(checkpoint.config(), precision);
        String name = "weights-v" + LAYOUT_VERSION + "-" + precision.name().toLowerCase(Locale.ROOT) + "-"
                + checkpoint.fingerprint();
        return new ScratchFolder(scratch, name, FILE_NAME, layout.fileBytes()).materialize(file -> {
            TensorWriter.Source source = checkpoint::readRows;
            Int8Weights quantised = null;
            if (precision == Precision.INT8) {
                quantised = new Int8Weights(checkpoint, maxima.get());
                source = quantised::readRows;
            }
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ,
                    StandardOpenOption.WRITE)) {
                new ExternalWeights(layout, channel).write(checkpoint.config(), source, quantised);
            }
        });
    }

    private void write(CausalLmConfig config, TensorWriter.Source source, Int8Weights quantised) throws IOException {
        for (Map.Entry<String, WeightsLayout.Span> tensor : layout.spans().entrySet()) {
            String name = tensor.getKey();
            WeightsLayout.Span span = tensor.getValue();
            if (span.type() == DataType.INT8 && span.shape().length == 2) {
                quantised.write(name, layout, channel);
            } else if (name.startsWith(WeightsLayout.ROPE)) {
                boolean sine = name.equals(WeightsLayout.ROPE_SIN) || name.equals(WeightsLayout.LOCAL_SIN);
                boolean local = name.equals(WeightsLayout.LOCAL_COS) || name.equals(WeightsLayout.LOCAL_SIN);
                float[] frequencies = local ? config.localFrequencies() : config.rotaryFrequencies();
                double factor = local ? 1 : config.traits().rotary().factor();
                write(span, name, (of, row, count, target) -> rope(frequencies, factor, sine, row, count, target));
            } else if (!WeightsLayout.belongsToBytes(name)) {
                write(span, name, source);
            }
        }
        channel.force(true);
    }

    private void write(WeightsLayout.Span span, String name, TensorWriter.Source source) throws IOException {
        channel.position(span.offset());
        writer.write(name, span, source, channel);
    }

    /** Writes rows of the cosines' or the sines' half of {@link RotaryTable}. */
    private static void rope(float[] frequencies, double factor, boolean sine, long firstRow, long rows, FloatBuffer target) {
        int first = sine ? frequencies.length : 0;
        for (long position = firstRow; position < firstRow + rows; position++) {
            double[] row = RotaryTable.row(position, frequencies, factor);
            for (int j = 0; j < frequencies.length; j++) {
                target.put((float) row[first + j]);
            }
        }
    }
}
