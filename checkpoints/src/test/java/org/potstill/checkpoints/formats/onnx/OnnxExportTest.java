// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import onnx.Onnx.ModelProto;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.TinyLlama;

class OnnxExportTest {
    @TempDir
    Path folder;

    private Path export(String name, int maxModelBytes) throws IOException {
        Path target = Files.createDirectories(folder.resolve(name));
        Path source = folder.resolve("tiny.gguf");
        TinyLlama.write(source, 3);
        try (Checkpoint model = Checkpoints.open(source)) {
            OnnxExport.write(model, target, maxModelBytes);
            Files.writeString(target.resolve("config.json"), model.config().toJson());
            Files.writeString(target.resolve("tokenizer.json"), model.tokenizer().json());
        }
        return target;
    }

    @Test
    void weightsThatDoNotFitTheFileLieBesideItAndAreTheSame() throws IOException {
        Path whole = export("whole", Integer.MAX_VALUE);
        Path split = export("split", 100_000);
        assertFalse(Files.exists(whole.resolve(OnnxExport.DATA)));
        byte[] data = Files.readAllBytes(split.resolve(OnnxExport.DATA));
        List<TensorProto> inside = ModelProto.parseFrom(Files.readAllBytes(whole.resolve(OnnxExport.MODEL))).getGraph().getInitializerList();
        List<TensorProto> beside = ModelProto.parseFrom(Files.readAllBytes(split.resolve(OnnxExport.MODEL))).getGraph().getInitializerList();
        Map<String, TensorProto> byName = inside.stream().collect(Collectors.toMap(TensorProto::getName, tensor -> tensor));
        int moved = 0;
        for (TensorProto tensor : beside) {
            TensorProto same = byName.remove(tensor.getName());
            if (tensor.getExternalDataCount() > 0) {
                moved++;
                Map<String, String> place = tensor.getExternalDataList().stream()
                        .collect(Collectors.toMap(StringStringEntryProto::getKey, StringStringEntryProto::getValue));
                assertEquals(OnnxExport.DATA, place.get("location"));
                int offset = Integer.parseInt(place.get("offset"));
                assertArrayEquals(same.getRawData().toByteArray(),
                        Arrays.copyOfRange(data, offset, offset + Integer.parseInt(place.get("length"))), tensor.getName());
            } else {
                assertEquals(same, tensor);
            }
        }
        assertEquals(Map.of(), byName);
        assertEquals(2 + 9 * 2, moved);
        try (OnnxCausalLm model = OnnxCausalLm.open(split.resolve(OnnxExport.MODEL))) {
            assertEquals(320, model.vocabSize());
        }
    }

    @Test
    void theSameModelGivesTheSameBytesAndOnlyStandardOperators() throws IOException {
        byte[] bytes = Files.readAllBytes(export("a", Integer.MAX_VALUE).resolve(OnnxExport.MODEL));
        assertArrayEquals(bytes, Files.readAllBytes(export("b", Integer.MAX_VALUE).resolve(OnnxExport.MODEL)));
        ModelProto model = ModelProto.parseFrom(bytes);
        assertEquals(1, model.getOpsetImportCount());
        assertTrue(model.getGraph().getNodeList().stream().allMatch(node -> node.getDomain().isEmpty()));
        assertEquals(3 + 2 * 2, model.getGraph().getInputCount());
    }
}
