/** The command line. */
package org.potstill.cli;
