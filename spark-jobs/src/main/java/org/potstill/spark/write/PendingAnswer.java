// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.Locale;

/** An answer that is not yet in the store. */
record PendingAnswer(Prompt prompt, int number) implements Serializable {
    /** Returns a sort key that puts the longest prompts first, and the answers to one prompt together. */
    String order() {
        return String.format(Locale.ROOT, "%08x%s%08d", Integer.MAX_VALUE - prompt.tokens().length, prompt.key(), number);
    }
}
