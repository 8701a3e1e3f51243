// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

/**
 * One turn of a conversation.
 *
 * @param role speaker: {@code system}, {@code user} or {@code assistant}
 */
public record ChatMessage(String role, String content) {
}
