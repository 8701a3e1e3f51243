// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;
import org.potstill.spark.corpus.CorpusPart;

/**
 * A part of the corpus as a label run saw it.
 *
 * @param part    the part
 * @param isWhole whether the run saw all of it as it is identified, and has labels of all its sequences: only then it need not be read again
 * @param count   what its documents amount to
 */
public record SeenPart(CorpusPart part, boolean isWhole, PartCount count) implements Serializable {
}
