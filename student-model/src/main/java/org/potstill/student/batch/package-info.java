/** Training sequences and their packing into batches without padding. */
package org.potstill.student.batch;
