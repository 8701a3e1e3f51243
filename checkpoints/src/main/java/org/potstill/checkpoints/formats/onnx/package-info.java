/** Ready-made ONNX models of any architecture, and export to one. */
package org.potstill.checkpoints.formats.onnx;
