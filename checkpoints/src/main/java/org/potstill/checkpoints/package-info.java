/** A causal language model on disk, whatever its format. */
package org.potstill.checkpoints;
