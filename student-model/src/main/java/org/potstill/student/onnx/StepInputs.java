// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.RotaryTable;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.options.TrainingOptions;

/** The batches of some steps as inputs of a {@link TrainingGraph}. */
final class StepInputs {
    /**
     * A step.
     *
     * @param number zero-based, which sets the learning rate and Adam's bias correction
     */
    record Step(PackedBatch batch, int number) {
    }

    private final CausalLmConfig config;
    private final TrainingOptions options;
    private final List<Step> steps;
    private final int rows;
    private final int kept;

    /** @param chunk of which each step's number of rows is a multiple */
    StepInputs(CausalLmConfig config, TrainingOptions options, List<Step> steps, int chunk) {
        this.config = config;
        this.options = options;
        this.steps = steps;
        int mostRows = 0;
        int mostKept = 1;
        for (Step step : steps) {
            PackedBatch batch = step.batch;
            mostRows = Math.max(mostRows, Math.multiplyExact(batch.sequences(), batch.longest()));
            int[] offsets = batch.targets().keptOffsets();
            for (int row = 0; row < batch.rows(); row++) {
                mostKept = Math.max(mostKept, offsets[row + 1] - offsets[row]);
            }
        }
        this.rows = Math.multiplyExact((mostRows + chunk - 1) / chunk, chunk);
        this.kept = mostKept;
    }

    /** Returns the tensors by name; callers close them. */
    Map<String, OnnxTensor> tensors() throws OrtException {
        int count = steps.size();
        int all = Math.multiplyExact(count, rows);
        long[] shapes = new long[2 * count];
        int[] ids = new int[all];
        int[] firstRows = new int[all];
        int[] nextIds = new int[all];
        float[] weights = new float[all];
        int[] keptIds = new int[Math.multiplyExact(all, kept)];
        float[] probabilities = new float[keptIds.length];
        double[] alphas = new double[count];
        float[] rates = new float[count];
        float[] decays = new float[count];
        Arrays.fill(keptIds, -1);
        int longest = 0;
        for (int i = 0; i < count; i++) {
            PackedBatch batch = steps.get(i).batch;
            PackedBatch.Targets targets = batch.targets();
            int time = batch.longest();
            longest = Math.max(longest, time);
            shapes[2 * i] = batch.sequences();
            shapes[2 * i + 1] = time;
            for (int s = 0; s < batch.sequences(); s++) {
                for (int from = batch.starts()[s]; from < batch.starts()[s + 1]; from++) {
                    int to = i * rows + s * time + batch.positions()[from];
                    ids[to] = batch.ids()[from];
                    nextIds[to] = targets.nextIds()[from];
                    weights[to] = targets.counted()[from] ? 1f / targets.count() : 0;
                    int begin = targets.keptOffsets()[from];
                    int n = targets.keptOffsets()[from + 1] - begin;
                    System.arraycopy(targets.keptIds(), begin, keptIds, to * kept, n);
                    System.arraycopy(targets.keptProbabilities(), begin, probabilities, to * kept, n);
                }
            }
            addFirstRows(ids, firstRows, i * rows, batch.sequences() * time);
            setRates(i, alphas, rates, decays);
        }
        Map<String, OnnxTensor> tensors = new HashMap<>();
        tensors.put(TrainingGraph.SHAPES, OnnxTensor.createTensor(OnnxRuntime.environment(), LongBuffer.wrap(shapes), new long[] {count, 2}));
        tensors.put(TrainingGraph.IDS, tensor(ids, count, rows));
        tensors.put(TrainingGraph.FIRST_ROWS, tensor(firstRows, count, rows));
        tensors.put(TrainingGraph.NEXT_IDS, tensor(nextIds, count, rows));
        tensors.put(TrainingGraph.WEIGHTS, tensor(weights, count, rows));
        tensors.put(TrainingGraph.KEPT_IDS, tensor(keptIds, count, rows, kept));
        tensors.put(TrainingGraph.KEPT_PROBABILITIES, tensor(probabilities, count, rows, kept));
        tensors.put(TrainingGraph.ALPHAS, OnnxTensor.createTensor(OnnxRuntime.environment(), DoubleBuffer.wrap(alphas), new long[] {count}));
        tensors.put(TrainingGraph.RATES, tensor(rates, count));
        tensors.put(TrainingGraph.DECAYS, tensor(decays, count));
        long[] positions = LongStream.range(0, longest).toArray();
        tensors.put(TrainingGraph.POSITIONS, OnnxTensor.createTensor(OnnxRuntime.environment(), LongBuffer.wrap(positions), new long[] {longest}));
        addTables(tensors, longest, TrainingGraph.COS, TrainingGraph.SIN, config.rotaryFrequencies(), config.traits().rotary().factor());
        if (config.hasLocalFrequencies()) {
            addTables(tensors, longest, TrainingGraph.LOCAL_COS, TrainingGraph.LOCAL_SIN, config.localFrequencies(), 1);
        }
        return tensors;
    }

    private static void addFirstRows(int[] ids, int[] firstRows, int begin, int count) {
        Map<Integer, Integer> first = new HashMap<>();
        for (int row = 0; row < count; row++) {
            Integer before = first.putIfAbsent(ids[begin + row], row);
            firstRows[begin + row] = before == null ? row : before;
        }
    }

    private void setRates(int i, double[] alphas, float[] rates, float[] decays) {
        int step = steps.get(i).number;
        double rate = options.rateAt(step);
        alphas[i] = options.objective().alphaAt(step, options.totalSteps());
        rates[i] = (float) (rate * Math.sqrt(1 - Math.pow(options.beta2(), step + 1)) / (1 - Math.pow(options.beta1(), step + 1)));
        decays[i] = (float) (rate * options.weightDecay());
    }

    private static void addTables(Map<String, OnnxTensor> tensors, int positions, String cos, String sin, float[] frequencies, double factor)
            throws OrtException {
        int half = frequencies.length;
        float[] cosines = new float[positions * half];
        float[] sines = new float[cosines.length];
        for (int position = 0; position < positions; position++) {
            double[] row = RotaryTable.row(position, frequencies, factor);
            for (int j = 0; j < half; j++) {
                cosines[position * half + j] = (float) row[j];
                sines[position * half + j] = (float) row[half + j];
            }
        }
        tensors.put(cos, tensor(cosines, positions, half));
        tensors.put(sin, tensor(sines, positions, half));
    }

    private static OnnxTensor tensor(int[] values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OnnxRuntime.environment(), IntBuffer.wrap(values), shape);
    }

    private static OnnxTensor tensor(float[] values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OnnxRuntime.environment(), FloatBuffer.wrap(values), shape);
    }
}
