// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.potstill.checkpoints.Fixtures;

final class ElementTypeTest {
    @ParameterizedTest
    @EnumSource
    void blocksAreWhatGgufReadsInThem(ElementType type) {
        ByteBuffer blocks = littleEndian(type + ".blocks");
        float[] expected = new float[blocks.remaining() / type.blockBytes * type.blockSize];
        littleEndian(type + ".floats").asFloatBuffer().get(expected);
        float[] actual = new float[expected.length];
        type.decode(blocks, actual, actual.length);
        assertArrayEquals(expected, actual);
        assertEquals(0, blocks.remaining());
    }

    private static ByteBuffer littleEndian(String name) {
        return ByteBuffer.wrap(Fixtures.bytes("blocks/" + name)).order(ByteOrder.LITTLE_ENDIAN);
    }
}
