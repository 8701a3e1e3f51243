/** The student's training steps as an ONNX graph, and the session that runs it. */
package org.potstill.student.onnx;
