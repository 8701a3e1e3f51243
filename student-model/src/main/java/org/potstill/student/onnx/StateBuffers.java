// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.student.Student;

/** Memory for a state as {@link StateTensor}s: parameters, first and second moments of each. */
final class StateBuffers implements AutoCloseable {
    private final List<StateTensor> tensors;
    private final List<FloatPointer> memory = new ArrayList<>();

    StateBuffers(List<StateTensor> tensors) {
        this.tensors = tensors;
        for (StateTensor tensor : tensors) {
            TrainingGraph.KINDS.forEach(kind -> memory.add(new FloatPointer((long) tensor.layers() * tensor.perLayer())));
        }
    }

    private FloatBuffer buffer(int tensor, int kind) {
        return memory.get(tensor * TrainingGraph.KINDS.size() + kind).asBuffer();
    }

    /** Adds a view of each tensor under the name that {@code names} has at its place. */
    void addTo(Map<String, OnnxTensor> all, List<String> names) throws OrtException {
        for (int i = 0; i < memory.size(); i++) {
            long[] shape = tensors.get(i / TrainingGraph.KINDS.size()).shape();
            all.put(names.get(i), OnnxTensor.createTensor(OnnxRuntime.environment(), memory.get(i).asBuffer(), shape));
        }
    }

    void read(Student student) {
        eachLayer((tensor, from, parameters, first, second) -> {
            parameters.put(floats(student.parameters(from, tensor.perLayer())));
            first.put(floats(student.updaterState(from, tensor.perLayer())));
            second.put(floats(student.updaterState(student.parameterCount() + from, tensor.perLayer())));
        });
    }

    void write(Student student) {
        eachLayer((tensor, from, parameters, first, second) -> {
            student.writeParameters(from, next(parameters, tensor));
            student.writeUpdaterState(from, next(first, tensor));
            student.writeUpdaterState(student.parameterCount() + from, next(second, tensor));
        });
    }

    void copy(StateBuffers from) {
        for (int i = 0; i < memory.size(); i++) {
            memory.get(i).asBuffer().put(from.memory.get(i).asBuffer());
        }
    }

    private static FloatBuffer floats(ByteBuffer bytes) {
        return bytes.asFloatBuffer();
    }

    private static FloatBuffer next(FloatBuffer from, StateTensor tensor) {
        FloatBuffer layer = from.slice(from.position(), tensor.perLayer());
        from.position(from.position() + tensor.perLayer());
        return layer;
    }

    /** Work on one layer of a tensor; the buffers, of its parameters and moments, are where the layer begins, and it moves them on. */
    interface LayerWork {
        /** @param from index of the layer's first value in the flat vector */
        void run(StateTensor tensor, int from, FloatBuffer parameters, FloatBuffer first, FloatBuffer second);
    }

    void eachLayer(LayerWork work) {
        for (int i = 0; i < tensors.size(); i++) {
            StateTensor tensor = tensors.get(i);
            FloatBuffer parameters = buffer(i, 0);
            FloatBuffer first = buffer(i, 1);
            FloatBuffer second = buffer(i, 2);
            for (int layer = 0; layer < tensor.layers(); layer++) {
                work.run(tensor, Math.toIntExact(tensor.first() + layer * tensor.distance()), parameters, first, second);
            }
        }
    }

    @Override
    public void close() {
        memory.forEach(FloatPointer::close);
    }
}
