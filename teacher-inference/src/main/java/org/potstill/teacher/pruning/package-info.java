/** What the layers and the width of a decoder are worth on some text. */
package org.potstill.teacher.pruning;
