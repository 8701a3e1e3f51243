/** ONNX Runtime, as teachers and students use it. */
package org.potstill.onnx;
