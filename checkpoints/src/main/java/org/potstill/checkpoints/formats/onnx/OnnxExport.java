// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import onnx.Onnx.GraphProto;
import onnx.Onnx.ModelProto;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import onnx.Onnx.TensorProto.DataType;
import org.nd4j.shade.protobuf.CodedOutputStream;
import org.nd4j.shade.protobuf.WireFormat;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.graph.CachedLlamaGraph;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.Int8Weights;
import org.potstill.checkpoints.graph.TensorWriter;
import org.potstill.checkpoints.graph.WeightsLayout;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * Export of a checkpoint as {@code model.onnx}, the graph of {@link CachedLlamaGraph}. Weights are inside if the file
 * stays below the format's limit of 2 GiB, and otherwise in {@code model.onnx_data} beside it. The heap holds neither.
 */
public final class OnnxExport {
    public static final String MODEL = "model.onnx";
    public static final String DATA = "model.onnx_data";

    private final WeightsLayout layout;
    private final ModelProto model;
    private final Weights weights;

    /** Writes a tensor's bytes at the channel's position. */
    private interface Weights {
        void write(String name, WeightsLayout.Span span, FileChannel channel) throws IOException;
    }

    private OnnxExport(WeightsLayout layout, byte[] model, Weights weights) throws IOException {
        this.layout = layout;
        this.model = ModelProto.parseFrom(model);
        this.weights = weights;
    }

    /**
     * Writes the model in single precision.
     *
     * @param folder that exists; files of these names are replaced
     */
    public static void write(Checkpoint checkpoint, Path folder) {
        write(checkpoint, folder, Integer.MAX_VALUE);
    }

    /**
     * Writes the model in INT8, see {@link Int8Weights}, with a half-precision embedding table; otherwise like {@link
     * #write(Checkpoint, Path)}.
     *
     * @param calibration to measure activations
     * @param scratch     folder for the weights in single precision and INT8; existing ones are reused
     */
    public static void writeInt8(Checkpoint checkpoint, CausalLm.Calibration calibration, Path scratch, Path folder) {
        CausalLmConfig config = checkpoint.config();
        WeightsLayout there = WeightsLayout.of(config, Precision.INT8);
        TensorWriter writer = new TensorWriter();
        Path weights = checkpoint.weights(Precision.INT8, calibration, scratch).resolve(ExternalWeights.FILE_NAME);
        try (FileChannel from = FileChannel.open(weights)) {
            new OnnxExport(WeightsLayout.int8Export(config), CachedLlamaGraph.buildInt8(config), (name, span, channel) -> {
                if (span.type() == DataType.FLOAT16) {
                    writer.write(name, span, checkpoint::readRows, channel);
                } else {
                    copy(from, there.span(name), channel);
                }
            }).write(folder, Integer.MAX_VALUE);
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(folder, e);
        }
    }

    private static void copy(FileChannel from, WeightsLayout.Span span, FileChannel to) throws IOException {
        long done = 0;
        while (done < span.bytes()) {
            long moved = from.transferTo(span.offset() + done, span.bytes() - done, to);
            if (moved == 0) {
                throw new EOFException("the weights end early");
            }
            done += moved;
        }
    }

    static void write(Checkpoint checkpoint, Path folder, int maxModelBytes) {
        TensorWriter writer = new TensorWriter();
        try {
            CausalLmConfig config = checkpoint.config();
            new OnnxExport(WeightsLayout.of(config, Precision.FP32), CachedLlamaGraph.build(config),
                    (name, span, channel) -> writer.write(name, span, checkpoint::readRows, channel)).write(folder, maxModelBytes);
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(folder, e);
        }
    }

    private void write(Path folder, int maxModelBytes) throws IOException {
        if (!writeWhole(folder.resolve(MODEL), maxModelBytes)) {
            writeData(folder.resolve(DATA));
            writeGraph(folder.resolve(MODEL));
        }
    }

    /** Writes the model as one file, initializers last, one by one; returns false if they are too large. */
    private boolean writeWhole(Path file, int maxModelBytes) throws IOException {
        GraphProto.Builder light = model.getGraph().toBuilder().clearInitializer();
        long graphBytes = 0;
        for (TensorProto tensor : model.getGraph().getInitializerList()) {
            if (isWeight(tensor)) {
                long bytes = messageBytes(tensor);
                graphBytes += CodedOutputStream.computeTagSize(GraphProto.INITIALIZER_FIELD_NUMBER)
                        + CodedOutputStream.computeUInt64SizeNoTag(bytes) + bytes;
            } else {
                light.addInitializer(tensor);
            }
        }
        GraphProto rest = light.build();
        ModelProto around = model.toBuilder().clearGraph().build();
        graphBytes += rest.getSerializedSize();
        if (graphBytes + around.getSerializedSize() + 16 > maxModelBytes) {
            return false;
        }
        try (FileChannel channel = create(file)) {
            CodedOutputStream out = CodedOutputStream.newInstance(Channels.newOutputStream(channel));
            around.writeTo(out);
            out.writeTag(ModelProto.GRAPH_FIELD_NUMBER, WireFormat.WIRETYPE_LENGTH_DELIMITED);
            out.writeUInt32NoTag((int) graphBytes);
            rest.writeTo(out);
            for (TensorProto tensor : model.getGraph().getInitializerList()) {
                if (isWeight(tensor)) {
                    WeightsLayout.Span span = layout.span(tensor.getName());
                    out.writeTag(GraphProto.INITIALIZER_FIELD_NUMBER, WireFormat.WIRETYPE_LENGTH_DELIMITED);
                    out.writeUInt32NoTag((int) messageBytes(tensor));
                    described(tensor).writeTo(out);
                    out.writeTag(TensorProto.RAW_DATA_FIELD_NUMBER, WireFormat.WIRETYPE_LENGTH_DELIMITED);
                    out.writeUInt32NoTag((int) span.bytes());
                    out.flush();
                    weights.write(tensor.getName(), span, channel);
                }
            }
            out.flush();
            channel.force(true);
        }
        return true;
    }

    private void writeData(Path file) throws IOException {
        try (FileChannel channel = create(file)) {
            for (TensorProto tensor : model.getGraph().getInitializerList()) {
                if (isWeight(tensor)) {
                    WeightsLayout.Span span = layout.span(tensor.getName());
                    channel.position(span.offset());
                    weights.write(tensor.getName(), span, channel);
                }
            }
            channel.force(true);
        }
    }

    private void writeGraph(Path file) throws IOException {
        ModelProto.Builder moved = model.toBuilder();
        for (TensorProto.Builder tensor : moved.getGraphBuilder().getInitializerBuilderList()) {
            for (StringStringEntryProto.Builder entry : tensor.getExternalDataBuilderList()) {
                if (entry.getKey().equals("location")) {
                    entry.setValue(DATA);
                }
            }
        }
        try (FileChannel channel = create(file)) {
            CodedOutputStream out = CodedOutputStream.newInstance(Channels.newOutputStream(channel));
            moved.build().writeTo(out);
            out.flush();
            channel.force(true);
        }
    }

    private static FileChannel create(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    }

    private static boolean isWeight(TensorProto tensor) {
        return tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL;
    }

    /** Returns a tensor's name, shape and type, without the location of its data. */
    private static TensorProto described(TensorProto tensor) {
        return tensor.toBuilder().clearExternalData().clearDataLocation().build();
    }

    private long messageBytes(TensorProto tensor) {
        long data = layout.span(tensor.getName()).bytes();
        return described(tensor).getSerializedSize() + CodedOutputStream.computeTagSize(TensorProto.RAW_DATA_FIELD_NUMBER)
                + CodedOutputStream.computeUInt64SizeNoTag(data) + data;
    }
}
