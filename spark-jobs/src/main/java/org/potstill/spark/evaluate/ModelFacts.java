package org.potstill.spark.evaluate;

/**
 * A model as stored.
 *
 * @param name       of its file or folder
 * @param parameters numbers in it; 0 where that is not known
 * @param bytes      of its weights as stored
 * @param stored     number format of most of them, such as "F32"; empty where it is not known
 */
public record ModelFacts(String name, long parameters, long bytes, String stored) {
}
