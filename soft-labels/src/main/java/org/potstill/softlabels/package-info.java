/** Soft targets, their specification and the codec of the cache. */
package org.potstill.softlabels;
