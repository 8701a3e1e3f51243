/** The writing of answers by the teacher: from prompts to conversations. */
package org.potstill.spark.write;
