// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.errors.MixtureErrors;
import org.potstill.teacher.onnx.CalibrationText;

/**
 * Agreement of teachers on a tokenizer. Files of one tokenizer may be formatted differently, so it is not the files that are compared but
 * the ids of tokens and of a text, and the tokens that begin and end documents.
 *
 * @param first         name of the teacher that the others are compared with
 * @param otherTemplate name of a teacher with another chat template, if there is one
 */
record SharedTokenizer(String first, Optional<String> otherTemplate) {
    /** Text in which tokenizers of the same vocabulary may differ: numbers, white space, code, other scripts. */
    private static final String ODD = " 1234567 3.14\u00a0\u3000x\t\n\n    if (a_b!=C) {return -1;}\r\n'll I'D \u00e9 e\u0301 \u4f60\u597d\uff0c "
            + "\u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u0631\u062d\u0628\u0627 \ud83d\ude80\ufe0f \ufb01 ";

    /** @throws org.potstill.errors.UserException if they do not agree */
    static SharedTokenizer of(SortedMap<String, LabelJob.OpenedTeacher> teachers) {
        String first = teachers.firstKey();
        TokenizerDefinition one = teachers.get(first).tokenizer();
        int[] ids = ids(one);
        teachers.forEach((name, teacher) -> {
            TokenizerDefinition other = teacher.tokenizer();
            one.differenceFrom(other).or(() -> difference(ids, ids(other)))
                    .or(() -> one.eosId() == other.eosId() ? Optional.empty()
                            : Optional.of("documents end with the token " + one.eosId() + " here and " + other.eosId() + " there"))
                    .ifPresent(difference -> {
                        throw MixtureErrors.tokenizersDiffer(first, name, difference);
                    });
        });
        return new SharedTokenizer(first, teachers.entrySet().stream()
                .filter(teacher -> !teacher.getValue().tokenizer().chatTemplate().equals(one.chatTemplate())).map(Map.Entry::getKey).findFirst());
    }

    private static int[] ids(TokenizerDefinition definition) {
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            return definition.document(tokenizer.encode(CalibrationText.text() + ODD, false));
        }
    }

    private static Optional<String> difference(int[] ids, int[] others) {
        int at = Arrays.mismatch(ids, others);
        return at < 0 ? Optional.empty() : Optional.of("of the same text, token " + at + " is " + id(ids, at) + " here and " + id(others, at) + " there");
    }

    private static String id(int[] ids, int at) {
        return at < ids.length ? String.valueOf(ids[at]) : "missing";
    }
}
