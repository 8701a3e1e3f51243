/** What all file formats share: bounded reading, number formats, fingerprints, private folders, errors. */
package org.potstill.checkpoints.io;
