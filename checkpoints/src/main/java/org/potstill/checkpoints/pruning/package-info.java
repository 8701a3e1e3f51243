/** Checkpoints with fewer layers, heads, neurons or channels than the original. */
package org.potstill.checkpoints.pruning;
