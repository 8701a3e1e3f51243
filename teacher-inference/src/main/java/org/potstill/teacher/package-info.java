/** Opening of teachers, whatever the engine. */
package org.potstill.teacher;
