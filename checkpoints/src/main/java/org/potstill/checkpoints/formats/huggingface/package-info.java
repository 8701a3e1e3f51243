/** Reading and writing of Hugging Face folders and safetensors files. */
package org.potstill.checkpoints.formats.huggingface;
