package org.potstill.checkpoints;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import onnx.Onnx.GraphProto;
import onnx.Onnx.ModelProto;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import org.nd4j.shade.protobuf.CodedOutputStream;
import org.nd4j.shade.protobuf.WireFormat;

/**
 * Writes a checkpoint as {@code model.onnx}, the graph that {@link CachedLlamaGraph} describes, in single precision. The
 * weights are inside where the file stays below the 2 GiB that its format ends at, and otherwise in
 * {@code model.onnx_data} beside it. The heap holds neither.
 */
public final class OnnxExport {
    public static final String MODEL = "model.onnx";
    public static final String DATA = "model.onnx_data";

    private final Checkpoint checkpoint;
    private final WeightsLayout layout;
    private final ModelProto model;
    private final TensorWriter writer = new TensorWriter();

    private OnnxExport(Checkpoint checkpoint) throws IOException {
        this.checkpoint = checkpoint;
        this.layout = WeightsLayout.of(checkpoint.config(), Precision.FP32);
        this.model = ModelProto.parseFrom(CachedLlamaGraph.build(checkpoint.config()));
    }

    /** @param folder that is there; its files of these names are replaced */
    public static void write(Checkpoint checkpoint, Path folder) {
        write(checkpoint, folder, Integer.MAX_VALUE);
    }

    static void write(Checkpoint checkpoint, Path folder, int maxModelBytes) {
        try {
            OnnxExport export = new OnnxExport(checkpoint);
            if (!export.writeWhole(folder.resolve(MODEL), maxModelBytes)) {
                export.writeData(folder.resolve(DATA));
                export.writeGraph(folder.resolve(MODEL));
            }
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(folder, e);
        }
    }

    /** A graph's initializers come last, so that each can be written when its turn comes. False where they are too large. */
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
                    writer.write(tensor.getName(), span, checkpoint::readRows, channel);
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
                    writer.write(tensor.getName(), span, checkpoint::readRows, channel);
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

    /** Name, shape and type, without saying where the data lie. */
    private static TensorProto described(TensorProto tensor) {
        return tensor.toBuilder().clearExternalData().clearDataLocation().build();
    }

    private long messageBytes(TensorProto tensor) {
        long data = layout.span(tensor.getName()).bytes();
        return described(tensor).getSerializedSize() + CodedOutputStream.computeTagSize(TensorProto.RAW_DATA_FIELD_NUMBER)
                + CodedOutputStream.computeUInt64SizeNoTag(data) + data;
    }
}
