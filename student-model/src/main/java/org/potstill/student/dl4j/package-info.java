/** The decoder as a layer of a Deeplearning4j network, and its optimizer. */
package org.potstill.student.dl4j;
