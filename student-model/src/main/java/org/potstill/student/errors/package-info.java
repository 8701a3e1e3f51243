/** Errors that users can fix. */
package org.potstill.student.errors;
