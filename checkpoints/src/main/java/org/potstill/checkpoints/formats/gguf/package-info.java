/** Reading and writing of GGUF files, the format of llama.cpp. */
package org.potstill.checkpoints.formats.gguf;
