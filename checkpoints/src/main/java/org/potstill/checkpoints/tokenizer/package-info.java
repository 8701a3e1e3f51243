/** Tokenizers and chat templates, with the tokens that Hugging Face gives. */
package org.potstill.checkpoints.tokenizer;
