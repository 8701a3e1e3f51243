/** The teacher's forward pass in bfloat16 on CPUs, with packed weights. */
package org.potstill.teacher.packed;
