// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.VariableType;
import org.nd4j.autodiff.samediff.internal.SameDiffOp;
import org.nd4j.autodiff.samediff.internal.Variable;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * A SameDiff graph with a placeholder {@code input_ids [B, T]} of 32- or 64-bit integers and an output
 * {@code logits [B, T, V]}.
 */
final class SameDiffModel implements Nd4jModel {
    private static final String INPUT_IDS = "input_ids";
    private static final String LOGITS = "logits";

    private final Path file;
    private final InputLimits limits;
    private final SameDiff graph;
    private final DataType idType;

    private SameDiffModel(Path file, InputLimits limits, SameDiff graph) {
        this.file = file;
        this.limits = limits;
        this.graph = graph;
        if (!graph.inputs().equals(List.of(INPUT_IDS)) || !graph.hasVariable(LOGITS)) {
            throw TeacherErrors.badModelFile(file, "it has the placeholders " + graph.inputs() + " and the outputs "
                    + ends() + " where " + INPUT_IDS + " and " + LOGITS + " are wanted");
        }
        SDVariable input = graph.getVariable(INPUT_IDS);
        this.idType = input.dataType();
        if (idType != DataType.INT32 && idType != DataType.INT64) {
            throw TeacherErrors.badModelFile(file, INPUT_IDS + " is " + idType + ", not INT or LONG");
        }
        requireTablesForAllIds();
    }

    /** Returns the outputs of the graph: variables that no operation uses. */
    private List<String> ends() {
        return graph.getVariables().values().stream()
                .filter(v -> v.getOutputOfOp() != null && (v.getInputsForOp() == null || v.getInputsForOp().isEmpty()))
                .map(Variable::getName).sorted().limit(20).toList();
    }

    /**
     * Checks that all ids are inside the tables they index: ND4J's gather does no bounds check, and an id beyond the
     * table would read other memory or crash the process.
     */
    private void requireTablesForAllIds() {
        for (SameDiffOp op : graph.getOps().values()) {
            List<String> inputs = op.getInputsToOp();
            if (inputs != null && inputs.size() > 1 && inputs.get(1).equals(INPUT_IDS)
                    && graph.getVariable(inputs.get(0)).getVariableType() != VariableType.ARRAY
                    && graph.getVariable(inputs.get(0)).getArr().size(0) < limits.vocabSize()) {
                throw TeacherErrors.badModelFile(file, "its table " + inputs.get(0) + " has "
                        + graph.getVariable(inputs.get(0)).getArr().size(0) + " rows, fewer than the vocab_size "
                        + limits.vocabSize() + " of its config.json");
            }
        }
    }

    static SameDiffModel open(Path file, InputLimits limits) {
        return new SameDiffModel(file, limits, SameDiffFile.read(file));
    }

    @Override
    public InputLimits limits() {
        return limits;
    }

    @Override
    public void logits(int[] ids, int positions, LogitRows rows) {
        try (INDArray input = Nd4j.createFromArray(ids).castTo(idType).reshape(1, ids.length)) {
            INDArray logits = graph.output(Map.of(INPUT_IDS, input), LOGITS).get(LOGITS);
            if (!Arrays.equals(logits.shape(), new long[] {1, ids.length, limits.vocabSize()})) {
                throw TeacherErrors.badModelFile(file, LOGITS + " for " + ids.length + " tokens is "
                        + Arrays.toString(logits.shape()) + ", not [1, tokens, vocab_size] with the vocab_size "
                        + limits.vocabSize() + " of its config.json");
            }
            try (INDArray copy = logits.castTo(DataType.FLOAT).dup('c')) {
                rows.accept(0, positions, Nd4jArrays.toHeap(copy));
            }
            if (logits.closeable()) {
                logits.close();
            }
        }
    }

    @Override
    public void close() {
        for (SDVariable variable : graph.variables()) {
            boolean stored = variable.isConstant() || variable.getVariableType() == VariableType.VARIABLE;
            if (stored && variable.getArr() != null && variable.getArr().closeable()) {
                variable.getArr().close();
            }
        }
    }
}
