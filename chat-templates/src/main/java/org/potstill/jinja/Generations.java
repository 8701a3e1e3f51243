// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.List;

/**
 * The output of {@code generation} blocks during a rendering, located as in transformers' {@code AssistantTracker}: a block begins where
 * the template's own output ends, also if a macro holds the block.
 */
final class Generations {
    final StringBuilder out = new StringBuilder();
    private final List<Rendering.Span> spans = new ArrayList<>();

    void add(String text) {
        spans.add(new Rendering.Span(out.length(), out.length() + text.length()));
    }

    Rendering rendering() {
        return new Rendering(out.toString(), List.copyOf(spans));
    }
}
