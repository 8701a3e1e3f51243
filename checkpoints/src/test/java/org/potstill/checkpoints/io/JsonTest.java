// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

final class JsonTest {
    @Test
    void wholeNumbersAreLongsUnlessNoLongHoldsThem() throws Exception {
        assertEquals(-123456789012345678L / 10, Json.object("{\"a\": -12345678901234567}").get("a"));
        assertEquals(Long.MAX_VALUE, Json.object("{\"a\": 9223372036854775807}").get("a"));
        // What transformers writes for a tokenizer without a limit.
        assertEquals(1e30, Json.object("{\"model_max_length\": 1000000000000000019884624838656}").get("model_max_length"));
        assertThrows(Json.MalformedException.class, () -> Json.object("{\"a\": 1e999}"));
    }

    @Test
    void whatIsNoJsonIsSaidWithoutAdviceToProgrammers() {
        String message = assertThrows(Json.MalformedException.class, () -> Json.object("<!DOCTYPE html>")).getMessage();
        assertEquals("malformed JSON at line 1 column 1 path $", message);
    }
}
