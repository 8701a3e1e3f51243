/** What a teacher is, and what all engines share: batches, draws, soft targets, errors. */
package org.potstill.teacher.scoring;
