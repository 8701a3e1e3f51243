/** The user's settings: defaults, files and command line. */
package org.potstill.spark.settings;
