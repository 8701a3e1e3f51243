// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.deeplearning4j.nn.api.Updater;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.updater.UpdaterCreator;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.huggingface.HuggingFaceCheckpoint;
import org.potstill.checkpoints.formats.huggingface.Safetensors;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.StoredForm;
import org.potstill.kernels.HostMemory;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.OneDnn;
import org.potstill.kernels.Simd;
import org.potstill.kernels.Slices;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.student.batch.LabelledBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.Weights;
import org.potstill.student.dl4j.DecoderLayer;
import org.potstill.student.dl4j.DecoderLayerConf;
import org.potstill.student.dl4j.DecoderParameters;
import org.potstill.student.dl4j.FusedAdamW;
import org.potstill.student.errors.StudentErrors;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * A Deeplearning4j causal decoder of the Llama family, of any shape that {@link CausalLmConfig} describes. Not thread-safe, but
 * several students may run in parallel, each in its own thread. Holds off-heap memory: close it.
 */
public final class Student implements AutoCloseable {
    public static final String CONFIG = "config.json";
    public static final String WEIGHTS = "model.safetensors";

    static {
        NativeLibraries.keepPrivate();
        Nd4jRuntime.prepare();
    }

    private final CausalLmConfig config;
    private final TrainingOptions options;
    private final MultiLayerNetwork network;
    /** The fused optimizer; null if Deeplearning4j's updater is used instead (on the CUDA backend, and for SGD). */
    private final FusedAdamW adamW;
    private Updater updater;
    private double gradientNorm;

    private Student(CausalLmConfig config, TrainingOptions options, MultiLayerNetwork network) {
        this.config = config;
        this.options = options;
        this.network = network;
        this.adamW = options.optimizer() == TrainingOptions.Optimizer.ADAMW && !Nd4jRuntime.isCuda()
                ? new FusedAdamW(config, options) : null;
    }

    /**
     * Sets the number of threads that each student's step may use, for all students of this JVM. In a Spark executor this is
     * {@code spark.task.cpus}. One thread scales best if several students train in parallel.
     *
     * @throws org.potstill.errors.UserException if {@code threads < 1}
     */
    public static void setThreads(int threads) {
        if (threads < 1) {
            throw StudentErrors.badOptions("a student cannot use " + threads + " threads");
        }
        Nd4jRuntime.setThreads(threads);
        // Slices already split the rows over threads; each calls BLAS for its own.
        Nd4jRuntime.setBlasThreads(1);
        Slices.setThreads(threads);
    }

    /** Returns whether students' elementwise work uses SIMD in this JVM; empty on CUDA, where the GPU does it. */
    public static Optional<Simd> simd() {
        return Nd4jRuntime.isCuda() ? Optional.empty() : Optional.of(Simd.HERE);
    }

    /** Whether this machine can train in {@link MatrixPrecision#BF16}. */
    public static boolean canUseBf16() {
        return OneDnn.canUseBf16();
    }

    /** Creates a student with random weights: the same bytes for the same configuration and seed. */
    public static Student create(CausalLmConfig config, TrainingOptions options, long seed) {
        MultiLayerNetwork network = DecoderLayerConf.network(config, options, seed, DataType.FLOAT);
        NativeWork.run(network::init);
        return new Student(config, options, network);
    }

    /** Creates a student with uninitialised parameters; the caller must set all of them. */
    public static Student uninitialized(CausalLmConfig config, TrainingOptions options) {
        MultiLayerNetwork network = DecoderLayerConf.network(config, options, 0, DataType.FLOAT);
        network.init(Nd4j.createUninitializedDetached(DataType.FLOAT, 1, DecoderParameters.count(config)), false);
        return new Student(config, options, network);
    }

    /**
     * Loads {@code config.json} and {@code model.safetensors} from a folder written by {@link #save}.
     *
     * @throws org.potstill.errors.UserException if the folder cannot be read, or a tensor is missing or has the wrong shape
     */
    public static Student load(Path folder, TrainingOptions options) {
        try (Checkpoint checkpoint = HuggingFaceCheckpoint.open(folder)) {
            Student student = uninitialized(checkpoint.config(), options);
            InitialWeights.copy(checkpoint, folder.toString(), student, LayerChoice.EVENLY_SPACED);
            return student;
        }
    }

    /** Writes {@code config.json} and {@code model.safetensors} in Hugging Face's format; creates the folder. */
    public void save(Path folder) {
        Map<String, long[]> shapes = Weights.shapes(config);
        FloatBuffer parameters = HostMemory.read(network.params());
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve(CONFIG), config.toJson());
        } catch (IOException e) {
            throw StudentErrors.unusableFolder(folder, e);
        }
        Map<String, Long> offsets = new HashMap<>();
        long end = 0;
        for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
            offsets.put(tensor.getKey(), end);
            end += Weights.count(tensor.getValue());
        }
        StoredForm form = StoredForm.huggingFace(config, shapes);
        Safetensors.writeRows(folder.resolve(WEIGHTS), form.shapes(), Map.of("format", "pt"), form.encoding((name, firstRow, rowCount, target) -> {
            long[] shape = shapes.get(name);
            long columns = shape[shape.length - 1];
            target.put(parameters.slice((int) (offsets.get(name) + firstRow * columns), (int) (rowCount * columns)));
        })::read);
    }

    public CausalLmConfig config() {
        return config;
    }

    /**
     * Takes one optimizer step on one batch, or none if all its positions are masked. Losses and gradients are means over the
     * unmasked positions. AdamW is Deeplearning4j's Adam, which adds epsilon to the root of the uncorrected second moment, with
     * decoupled weight decay.
     *
     * @param step zero-based number of the step, which sets the learning rate and Adam's bias correction
     * @return the losses before the step
     * @throws org.potstill.errors.UserException if the loss or the gradient's norm is not finite
     */
    public StepLoss step(List<TrainingSequence> batch, int step) {
        try (LabelledBatch arrays = LabelledBatch.of(batch, config, DataType.FLOAT)) {
            updater();
            gradientNorm = 0;
            network.setInput(arrays.features());
            network.setLabels(arrays.labels());
            network.setLayerMaskArrays(arrays.featuresMask(), arrays.labelsMask());
            network.setIterationCount(step);
            decoder().setAlpha(options.objective().alphaAt(step, options.totalSteps()));
            NativeWork.run(network::computeGradientAndScore);
            StepLoss loss = decoder().loss();
            if (loss.positions() == 0) {
                return loss;
            }
            if (adamW == null) {
                dl4jStep(loss, step, batch.size());
            } else {
                fusedStep(loss, step);
            }
            return loss;
        } finally {
            network.clear();
        }
    }

    private void fusedStep(StepLoss loss, int step) {
        int n = Math.toIntExact(network.params().length());
        Matrix gradient = Matrix.of(network.getFlattenedGradients(), 1, n);
        double norm = adamW.norm(gradient);
        requireFinite(loss, norm, step);
        INDArray moments = updater().getStateViewArray();
        adamW.step(Matrix.of(network.params(), 1, n), gradient, norm, Matrix.of(HostMemory.range(moments, 0, n), 1, n),
                Matrix.of(HostMemory.range(moments, n, n), 1, n), step);
    }

    private void dl4jStep(StepLoss loss, int step, int batchSize) {
        INDArray gradient = network.getFlattenedGradients();
        requireFinite(loss, gradient.norm2Number().doubleValue(), step);
        updater().update(network, network.gradient(), step, 0, batchSize, LayerWorkspaceMgr.noWorkspaces());
        network.params().subi(gradient.reshape(gradient.length()));
    }

    private void requireFinite(StepLoss loss, double norm, int step) {
        if (!Double.isFinite(loss.total()) || !Double.isFinite(norm)) {
            throw StudentErrors.nonFiniteLoss(step, loss.total(), norm);
        }
        gradientNorm = norm;
    }

    /** Returns the L2 norm of the last step's gradient, before clipping; 0 if all its positions were masked. */
    public double gradientNorm() {
        return gradientNorm;
    }

    /** Computes the losses of a batch without learning from it. */
    public StepLoss loss(List<TrainingSequence> batch) {
        try (LabelledBatch arrays = LabelledBatch.of(batch, config, DataType.FLOAT)) {
            DecoderLayer decoder = decoder();
            decoder.setInput(arrays.features(), LayerWorkspaceMgr.noWorkspaces());
            decoder.setLabels(arrays.labels());
            network.setLayerMaskArrays(arrays.featuresMask(), arrays.labelsMask());
            NativeWork.run(() -> decoder.computeScore(0, false, LayerWorkspaceMgr.noWorkspaces()));
            return decoder.loss();
        } finally {
            network.clear();
        }
    }

    /** Returns the logits of one sequence, row-major {@code [ids.length, vocabSize]}. */
    public float[] logits(int[] ids) {
        try (INDArray features = LabelledBatch.features(ids, config, DataType.FLOAT);
                INDArray logits = NativeWork.call(() -> network.output(features, false))) {
            float[] values = new float[Math.toIntExact(logits.length())];
            HostMemory.read(logits).get(values);
            return values;
        } finally {
            network.clear();
        }
    }

    /** Returns a copy of all parameters in one array, in the order of the flat vector. */
    public float[] parameters() {
        return HostMemory.copy(network.params());
    }

    public void setParameters(float[] parameters) {
        replace("parameters", network.params(), parameters);
    }

    /** Returns {@code count} of the {@link #parameters()}, from index {@code from}, as little-endian floats: if possible a view. */
    public ByteBuffer parameters(int from, int count) {
        return HostMemory.bytes(network.params(), from, count);
    }

    /** Overwrites parameters from index {@code from} of {@link #parameters()}. */
    public void writeParameters(int from, FloatBuffer values) {
        HostMemory.write(network.params(), from, values);
    }

    public int parameterCount() {
        return Math.toIntExact(network.params().length());
    }

    /** Returns a copy of Adam's moments in one array: all first moments, then all second; empty for SGD. */
    public float[] updaterState() {
        INDArray state = updater().getStateViewArray();
        return state == null ? new float[0] : HostMemory.copy(state);
    }

    /** Returns the length of {@link #updaterState}, all zeros before the first step, without allocating the memory for it. */
    public int updaterStateLength() {
        return options.optimizer() == TrainingOptions.Optimizer.SGD ? 0 : Math.multiplyExact(2, parameterCount());
    }

    public void setUpdaterState(float[] state) {
        INDArray view = updater().getStateViewArray();
        if (view != null || state.length > 0) {
            replace("optimizer moments", view, state);
        }
    }

    /** Returns {@code count} moments, from index {@code from} of {@link #updaterState()}, as little-endian floats: if possible a view. */
    public ByteBuffer updaterState(int from, int count) {
        return HostMemory.bytes(updater().getStateViewArray(), from, count);
    }

    /** Overwrites moments from index {@code from} of {@link #updaterState()}. */
    public void writeUpdaterState(int from, FloatBuffer values) {
        HostMemory.write(updater().getStateViewArray(), from, values);
    }

    /** Frees all off-heap memory; the student cannot be used afterwards. */
    @Override
    public void close() {
        decoder().free();
        if (updater != null) {
            free(updater.getStateViewArray());
        }
        // Not network.close(), which also has the JVM collect all garbage, twice: that stops every thread of an executor.
        free(network.params());
        free(network.getFlattenedGradients());
    }

    private static void free(INDArray array) {
        if (array != null && array.closeable()) {
            array.close();
        }
    }

    private DecoderLayer decoder() {
        return (DecoderLayer) network.getOutputLayer();
    }

    private Updater updater() {
        // Not network.getUpdater(), which the network drops in clear(). Created lazily, because a student used only for
        // inference needs no moments.
        if (updater == null) {
            network.initGradientsView();
            updater = UpdaterCreator.getUpdater(network);
        }
        return updater;
    }

    private static void replace(String what, INDArray target, float[] values) {
        long expected = target == null ? 0 : target.length();
        if (values.length != expected) {
            throw StudentErrors.wrongLength(what, values.length, expected);
        }
        if (target != null) {
            HostMemory.write(target, values);
        }
    }
}
