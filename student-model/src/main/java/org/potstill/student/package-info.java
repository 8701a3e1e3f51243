/** A Deeplearning4j student: {@link org.potstill.student.Student} trains, evaluates, saves and loads it. */
package org.potstill.student;
