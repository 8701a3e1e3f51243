/** Training sequences, their order and their loss masks. */
package org.potstill.spark.train.data;
