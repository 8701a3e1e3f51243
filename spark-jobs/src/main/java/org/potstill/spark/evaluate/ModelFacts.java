// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * A model as stored.
 *
 * @param name       name of its file or folder
 * @param parameters number of parameters; 0 if unknown
 * @param bytes      bytes of the stored weights
 * @param stored     number format of most of them, such as "F32"; empty if unknown
 */
public record ModelFacts(String name, long parameters, long bytes, String stored) {
}
