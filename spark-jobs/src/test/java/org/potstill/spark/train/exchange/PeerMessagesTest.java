// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PeerMessagesTest {
    @Test
    void aQuestionAndAnAnswerArriveAsTheyWere() throws Exception {
        PeerMessages.Question question = told("run", 7, 3,
                List.of(new StateSource.Contribution(1, 1L << 40, new Peer("host", 65_535), 6)));
        assertEquals(question, PeerMessages.Question.of(question.bytes()));
        question = PeerMessages.Question.ofWorker("run", 7, 3, 2, 1);
        assertEquals(question, PeerMessages.Question.of(question.bytes()));
        for (PeerMessages.Answer answer : List.of(new PeerMessages.Answer("name", Set.of(new Peer("a", 1), new Peer("b", 2)), false),
                PeerMessages.Answer.WANTS_RECIPE)) {
            assertEquals(answer, PeerMessages.Answer.of(answer.bytes()));
        }
        ByteBuffer many = told("a", 1, 1, List.of(new StateSource.Contribution(0, 1, new Peer("a", 1), 0))).bytes();
        many.putInt(many.capacity() - Integer.BYTES, Integer.MAX_VALUE);
        assertThrows(IOException.class, () -> PeerMessages.Question.of(many));
    }

    /** Tells an owner the recipe. */
    private static PeerMessages.Question told(String run, long version, int slice, List<StateSource.Contribution> made) {
        StateSource source = new StateSource(run, version, List.of(), Recipe.of(true, made, Set.of()), List.of());
        return PeerMessages.Question.ofOwner(source, slice, StateSource.VALUES).with(source.recipe());
    }
}
