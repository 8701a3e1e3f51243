// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import onnx.Onnx.ModelProto;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import org.nd4j.shade.protobuf.CodedInputStream;
import org.nd4j.shade.protobuf.CodedOutputStream;
import org.nd4j.shade.protobuf.InvalidProtocolBufferException;
import org.nd4j.shade.protobuf.WireFormat;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.UnsupportedErrors;

/**
 * A reader of {@code model.onnx} that leaves the weights in the file: the data of every large initializer become external
 * data in the file {@link #ITSELF}, as if written that way. The heap holds only the rest.
 */
final class OnnxModelFile {
    /** Location of data inside the model's own file. If a model itself uses it, it only refers to its own bytes. */
    static final String ITSELF = "";
    /** Smallest data to leave in the file. Smaller ones are shapes and scalars, which an engine needs for planning. */
    static final int LARGE_BYTES = 1024;
    /** Largest graph; a thousand layers take a tenth of this. */
    private static final int MAX_GRAPH_BYTES = 256 << 20;
    private static final int MAX_DEPTH = 32;
    private static final int BUFFER_BYTES = 1 << 16;

    /** Protobuf messages on the path to an initializer. */
    private enum Message {
        MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR;

        Message inField(int number) {
            return switch (this) {
                case MODEL -> number == 7 ? GRAPH : null;
                case GRAPH -> number == 1 ? NODE : number == 5 ? TENSOR : null;
                case NODE -> number == 5 ? ATTRIBUTE : null;
                case ATTRIBUTE -> number == 6 || number == 11 ? GRAPH : null;
                case TENSOR -> null;
            };
        }
    }

    private final BoundedFile file;
    private final CodedInputStream in;
    private int room = MAX_GRAPH_BYTES;

    private OnnxModelFile(BoundedFile file, CodedInputStream in) {
        this.file = file;
        this.in = in;
    }

    static ModelProto read(BoundedFile file) {
        if (file.size() > Integer.MAX_VALUE) {
            throw CheckpointErrors.onnxTooLarge(file.path(), file.size());
        }
        try {
            CodedInputStream in = CodedInputStream.newInstance(stream(file), BUFFER_BYTES);
            in.pushLimit((int) file.size());
            byte[] light = new OnnxModelFile(file, in).without(Message.MODEL, 0);
            return ModelProto.parseFrom(light);
        } catch (InvalidProtocolBufferException e) {
            throw malformed(file, e.getMessage());
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(file.path(), e);
        }
    }

    /** Copies the message up to the current limit, without its large data. */
    @SuppressWarnings("deprecation") // What replaces skipField does not copy what it skips.
    private byte[] without(Message message, int depth) throws IOException {
        if (depth > MAX_DEPTH) {
            throw malformed(file, "its graphs are nested deeper than " + MAX_DEPTH);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        CodedOutputStream out = CodedOutputStream.newInstance(bytes);
        while (in.getBytesUntilLimit() > 0) {
            int tag = in.readTag();
            int field = WireFormat.getTagFieldNumber(tag);
            switch (WireFormat.getTagWireType(tag)) {
                case WireFormat.WIRETYPE_LENGTH_DELIMITED -> lengthDelimited(message, field, out, depth);
                case WireFormat.WIRETYPE_VARINT, WireFormat.WIRETYPE_FIXED32, WireFormat.WIRETYPE_FIXED64 -> {
                    take(16);
                    in.skipField(tag, out);
                }
                default -> throw malformed(file, "it has a field of wire type " + WireFormat.getTagWireType(tag));
            }
        }
        out.flush();
        return bytes.toByteArray();
    }

    private void lengthDelimited(Message message, int field, CodedOutputStream out, int depth) throws IOException {
        int length = in.readRawVarint32();
        if (length < 0 || length > in.getBytesUntilLimit()) {
            throw malformed(file, "a field of " + Integer.toUnsignedString(length) + " bytes begins at byte "
                    + in.getTotalBytesRead() + ", which is more than there is");
        }
        Message inner = message.inField(field);
        if (inner != null) {
            int outer = in.pushLimit(length);
            out.writeByteArray(field, without(inner, depth + 1));
            in.popLimit(outer);
        } else if (message == Message.TENSOR && field == TensorProto.RAW_DATA_FIELD_NUMBER && length >= LARGE_BYTES) {
            take(64);
            out.writeEnum(TensorProto.DATA_LOCATION_FIELD_NUMBER, TensorProto.DataLocation.EXTERNAL_VALUE);
            external(out, "location", ITSELF);
            external(out, "offset", Integer.toString(in.getTotalBytesRead()));
            external(out, "length", Integer.toString(length));
            in.skipRawBytes(length);
        } else {
            take(length + 16L);
            out.writeByteArray(field, in.readRawBytes(length));
        }
    }

    private static void external(CodedOutputStream out, String key, String value) throws IOException {
        out.writeMessage(TensorProto.EXTERNAL_DATA_FIELD_NUMBER,
                StringStringEntryProto.newBuilder().setKey(key).setValue(value).build());
    }

    private void take(long bytes) {
        if (bytes > room) {
            throw CheckpointErrors.onnxGraphTooLarge(file.path(), MAX_GRAPH_BYTES);
        }
        room -= (int) bytes;
    }

    private static RuntimeException malformed(BoundedFile file, String cause) {
        return file.signature().map(found -> UnsupportedErrors.foreign(file.path(), found))
                .orElseGet(() -> CheckpointErrors.malformed(file.path(), "ONNX", cause));
    }

    private static InputStream stream(BoundedFile file) {
        return new InputStream() {
            private long position;

            @Override
            public int read() {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 255;
            }

            @Override
            public int read(byte[] bytes, int from, int length) {
                int count = (int) Math.min(length, file.size() - position);
                if (count <= 0) {
                    return length == 0 ? 0 : -1;
                }
                byte[] read = file.read(position, count, "the graph").array();
                System.arraycopy(read, 0, bytes, from, count);
                position += count;
                return count;
            }

            @Override
            public long skip(long bytes) {
                long count = Math.max(0, Math.min(bytes, file.size() - position));
                position += count;
                return count;
            }
        };
    }
}
