/** Text generation with a key/value cache. */
package org.potstill.teacher.generation;
