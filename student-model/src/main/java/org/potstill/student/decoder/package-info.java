/** The forward and backward pass of the student: {@link org.potstill.student.decoder.LlamaDecoder}. */
package org.potstill.student.decoder;
