// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.serde.FlatBuffersMapper;
import org.nd4j.graph.FlatArray;
import org.nd4j.graph.FlatGraph;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * A check of a {@code SameDiff.save} file before ND4J loads it: lists are no longer than the file, arrays have the bytes
 * that their shapes require, and a training configuration names only classes of Deeplearning4j and ND4J. Operations come
 * from ND4J's list; none of them reads a file or loads a class. Native code does not check all of their arguments, so a
 * malicious graph can still crash the process.
 */
final class SameDiffFile {
    private static final int MAX_RANK = 32;

    private SameDiffFile() {
    }

    static boolean isOne(Path file) {
        return file.toString().endsWith(".fb");
    }

    static SameDiff read(Path file) {
        try {
            if (Files.size(file) > Integer.MAX_VALUE - 16) {
                throw TeacherErrors.badModelFile(file, "it is larger than the 2 GiB that a FlatBuffers file can be");
            }
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
            requireSound(FlatGraph.getRootAsFlatGraph(bytes.duplicate()), bytes.capacity(), file);
            return SameDiff.fromFlatBuffers(bytes, false);
        } catch (IOException e) {
            throw TeacherErrors.unreadable(file, e);
        } catch (UnsupportedOperationException | IllegalArgumentException | IllegalStateException
                | IndexOutOfBoundsException | BufferUnderflowException | NullPointerException e) {
            throw TeacherErrors.badModelFile(file, "it is no sound SameDiff file: " + e);
        }
    }

    private static void requireSound(FlatGraph graph, long bytes, Path file) {
        // Every node and variable takes at least four bytes, so larger counts cannot be genuine.
        if (4L * graph.nodesLength() > bytes || 4L * graph.variablesLength() > bytes) {
            throw TeacherErrors.badModelFile(file, "it claims more nodes or variables than it has bytes for");
        }
        for (int i = 0; i < graph.variablesLength(); i++) {
            requireSound(graph.variables(i).ndarray(), graph.variables(i).name(), file);
        }
        for (int i = 0; i < graph.nodesLength(); i++) {
            requireSound(graph.nodes(i).scalar(), graph.nodes(i).name(), file);
        }
        if (graph.trainingConfig() != null) {
            ClassNames.requireOwn(graph.trainingConfig(), file);
        }
    }

    /** Checks an array. Its shape is stored as rank, dimensions, strides, flags, element stride and order. */
    private static void requireSound(FlatArray array, String name, Path file) {
        if (array == null) {
            return;
        }
        int words = array.shapeLength();
        int rank = words < 4 ? -1 : (int) array.shape(0);
        if (rank < 0 || rank > MAX_RANK || words != 2 * rank + 4 || array.shape(0) != rank) {
            throw TeacherErrors.badModelFile(file, "the array of " + name + " has no shape");
        }
        boolean columnMajor = array.shape(words - 1) == 'f';
        long length = 1;
        for (int i = 0; i < rank; i++) {
            int dimension = columnMajor ? 1 + i : rank - i;
            long size = array.shape(dimension);
            if (size < 0 || size > Integer.MAX_VALUE || (size > 1 && array.shape(rank + dimension) != length)) {
                throw TeacherErrors.badModelFile(file, "the array of " + name + " has gaps or an impossible shape");
            }
            length = Math.multiplyExact(length, size);
        }
        DataType type = FlatBuffersMapper.getDataTypeFromByte(array.dtype());
        if (type.width() < 1 || length > array.bufferLength() / type.width()) {
            throw TeacherErrors.badModelFile(file, "the array of " + name + " has " + array.bufferLength()
                    + " bytes, too few for " + length + " elements of type " + type);
        }
    }
}
