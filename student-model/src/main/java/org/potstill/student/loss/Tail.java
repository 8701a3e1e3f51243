// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;

/** Treatment of the tokens that are not in the teacher's targets. */
public enum Tail {
    /**
     * One bucket that compares the rest of the teacher's mass with the student's mass on all these tokens (arXiv 2503.16870,
     * section on the ghost token). For sampled targets the bucket is empty and the estimate unbiased.
     */
    GHOST,
    /** No bucket: both distributions are renormalised over the tokens in the targets. Other tokens get no divergence gradient. */
    RENORMALISE
}
