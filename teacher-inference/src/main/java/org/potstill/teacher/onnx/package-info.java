/** Teachers on ONNX Runtime, on CPU or CUDA. */
package org.potstill.teacher.onnx;
