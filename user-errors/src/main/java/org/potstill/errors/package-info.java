/** The only exception whose message users see. */
package org.potstill.errors;
