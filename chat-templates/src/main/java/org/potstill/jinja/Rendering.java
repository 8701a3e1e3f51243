// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.List;

/**
 * A rendered conversation.
 *
 * @param generated places of the text that the template marks as the model's, in the order of the template
 */
public record Rendering(String text, List<Span> generated) {
    /** Characters {@code [from, to)} of a text, in UTF-16. */
    public record Span(int from, int to) {
    }
}
