/** Hyperparameters of training. */
package org.potstill.student.options;
