/** Teachers on ND4J: Llama-family checkpoints, SameDiff graphs and Deeplearning4j models. */
package org.potstill.teacher.nd4j;
