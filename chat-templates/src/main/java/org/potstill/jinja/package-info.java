/** A sandboxed interpreter of the part of Jinja that chat templates use. */
package org.potstill.jinja;
