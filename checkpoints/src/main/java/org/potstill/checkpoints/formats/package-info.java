/** Opening of models, recognised by content. */
package org.potstill.checkpoints.formats;
