/** Export of a student to where models are served. */
package org.potstill.spark.export;
