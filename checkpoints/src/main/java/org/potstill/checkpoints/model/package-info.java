/** The shape of a Llama-family decoder and its tensors, by their Hugging Face names. */
package org.potstill.checkpoints.model;
