/** The decoder in ND4J's operations: for GPUs, and for tests to compare with. */
package org.potstill.student.nd4j;
