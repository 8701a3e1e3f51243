/** Elementwise loops and matrix products on the CPU, vectorised and plain. */
package org.potstill.kernels;
