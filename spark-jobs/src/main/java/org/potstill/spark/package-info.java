/** What all jobs share: the session, its checks, progress, and resources of the cluster. */
package org.potstill.spark;
