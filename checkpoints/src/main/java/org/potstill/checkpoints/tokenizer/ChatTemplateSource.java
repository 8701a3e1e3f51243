// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.io.BoundedFile;

/** The text of a model's chat template, which may be two: one for conversations with tools, and one for others. */
public final class ChatTemplateSource {
    private static final int MAX_BYTES = 1 << 23;

    private ChatTemplateSource() {
    }

    /** Reads the chat template, and the one for tools if there is one, from files of their own or tokenizer_config.json. */
    static String in(Path folder, Map<String, Object> tokenizerConfig) {
        Path file = folder.resolve("chat_template.jinja");
        if (BoundedFile.exists(file)) {
            Path withTools = folder.resolve("additional_chat_templates/tool_use.jinja");
            return join(BoundedFile.text(file, MAX_BYTES),
                    BoundedFile.exists(withTools) ? BoundedFile.text(withTools, MAX_BYTES) : "");
        }
        Object template = tokenizerConfig.get("chat_template");
        if (template instanceof List<?> several) {
            return join(template(several, "default"), template(several, "tool_use"));
        }
        return template instanceof String text ? text : "";
    }

    private static String template(List<?> several, String name) {
        return several.stream().filter(each -> each instanceof Map<?, ?> named && name.equals(named.get("name")))
                .map(each -> ((Map<?, ?>) each).get("template")).filter(String.class::isInstance).map(String.class::cast).findFirst().orElse("");
    }

    /**
     * Joins a model's template and the one that it has for conversations with tools into one, which renders each conversation as
     * transformers does with the two.
     *
     * @param withTools empty if the model has none
     */
    public static String join(String template, String withTools) {
        if (template.isEmpty() || withTools.isEmpty()) {
            return template;
        }
        return "{% if tools is not defined or tools is none %}" + guarded(template) + "{% else %}" + guarded(withTools) + "{% endif %}";
    }

    /**
     * Returns a template's text for between two tags, whose white space they leave alone: a first newline is the tag's, and an expression
     * precedes the next tag. Jinja drops the newline at a template's end.
     */
    private static String guarded(String template) {
        return "\n" + template.replaceFirst("(\\r\\n|\\r|\\n)\\z", "") + "{{ '' }}";
    }
}
