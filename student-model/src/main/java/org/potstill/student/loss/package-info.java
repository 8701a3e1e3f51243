/** The distillation loss and its gradient. */
package org.potstill.student.loss;
