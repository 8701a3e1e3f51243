// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.cache.ResponseRuns;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.corpus.Problems;
import org.potstill.spark.corpus.TokenizedDocument;

/**
 * The sequences that the teacher could not score. They go to the quarantine instead of the snapshot; the next run tries them
 * again.
 *
 * @param labels  labels that define the keys
 * @param reasons reasons by key
 */
record UnscoredSequences(Labels labels, Map<String, String> reasons) implements Serializable {
    boolean contains(int[] tokens) {
        return !reasons.isEmpty() && reasons.containsKey(labels.key(tokens));
    }

    JavaRDD<Quarantined> quarantined(JavaRDD<TokenizedDocument> training) {
        return places(training).filter(place -> reasons.containsKey(place.key()))
                .map(place -> new Quarantined(place.document(), place.sequence(), place.key(), reasons.get(place.key())));
    }

    /** Returns the numbers of the parts of the corpus that have such sequences. */
    Set<Long> parts(JavaRDD<TokenizedDocument> training) {
        return reasons.isEmpty() ? Set.of() : Set.copyOf(places(training).filter(place -> reasons.containsKey(place.key())).map(SnapshotEntry::part).distinct().collect());
    }

    /** Describes the most common reasons, with counts and a document as an example of each. */
    String commonReasons(JavaRDD<TokenizedDocument> training) {
        Problems problems = new Problems();
        training.context().register(problems);
        quarantined(training).foreach(sequence -> problems.add(sequence.document(), sequence.problem()));
        return problems.value();
    }

    /** Returns the places of all other sequences, which can be learnt from. */
    JavaRDD<SnapshotEntry> others(JavaRDD<TokenizedDocument> training) {
        return places(training).filter(place -> !reasons.containsKey(place.key()));
    }

    private JavaRDD<SnapshotEntry> places(JavaRDD<TokenizedDocument> training) {
        return training.flatMap(document -> {
            List<SnapshotEntry> places = new ArrayList<>();
            boolean hasResponse = document.hasResponse();
            for (int i = 0; i < document.sequences().size(); i++) {
                places.add(new SnapshotEntry(document.id(), i, labels.key(document.sequences().get(i)),
                        document.parts() == null ? null : ResponseRuns.of(document.parts().get(i), hasResponse), document.origin().part()));
            }
            return places.iterator();
        });
    }
}
