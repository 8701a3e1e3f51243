/** The ND4J backend of this build and its settings. */
package org.potstill.nd4j;
