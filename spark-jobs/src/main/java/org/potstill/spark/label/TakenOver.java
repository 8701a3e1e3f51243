// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.PartCount;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.cache.SeenCorpus;
import org.potstill.spark.cache.SeenPart;
import org.potstill.spark.cache.Snapshots;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.CorpusPart;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a run need not read again: parts of the corpus that are as the last run saw them, and whose labels are all in the cache.
 *
 * @param parts      by number, as the last run recorded them
 * @param rows       their rows of the snapshot, or the whole snapshot if nothing at all has changed; null for none
 * @param documents  their documents without a row, see {@link SeenCorpus#DOCUMENTS}; null for none
 * @param unchanged  the record that still holds, if nothing at all has changed; else null
 */
record TakenOver(Map<Long, SeenPart> parts, Snapshots.Draft rows, Dataset<Row> documents, SeenCorpus unchanged) {
    static final TakenOver NONE = new TakenOver(Map.of(), null, null, null);
    private static final Logger LOG = LoggerFactory.getLogger(TakenOver.class);

    /**
     * Compares the corpus with what the last run recorded.
     *
     * @param found       parts of the corpus
     * @param fingerprint identity of all that determines what becomes of a part, apart from its content
     */
    static TakenOver of(LabelStore store, Corpus corpus, List<CorpusPart> found, String fingerprint) {
        if (found.isEmpty() || !store.hasSnapshot() || store.labels().priors().isEmpty()) {
            return NONE;
        }
        try {
            Snapshots.Earlier earlier = store.snapshots().earlier();
            Optional<SeenCorpus> seen = store.snapshots().seen(earlier);
            if (seen.isEmpty()) {
                return NONE;
            } else if (!seen.get().fingerprint().equals(fingerprint)) {
                LOG.info("all of the corpus is read: settings, tokenizer or version are not those of the last run");
                return NONE;
            }
            return of(store.snapshots(), corpus, found, earlier, seen.get());
        } catch (Exception e) {
            // Spark throws checked exceptions that it does not declare.
            LOG.warn("all of the corpus is read, because what the last run recorded of it cannot be used: {}", String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
            LOG.debug("cannot use the record", e);
            return NONE;
        }
    }

    private static TakenOver of(Snapshots snapshots, Corpus corpus, List<CorpusPart> found, Snapshots.Earlier earlier, SeenCorpus seen) {
        Map<String, SeenPart> known = seen.parts().stream().filter(SeenPart::isWhole).collect(Collectors.toMap(part -> part.part().path(), Function.identity()));
        List<CorpusPart> alike = found.stream().filter(part -> known.containsKey(part.path()) && known.get(part.path()).part().looksLike(part)).toList();
        Map<Long, SeenPart> same = new HashMap<>();
        alike.forEach(part -> same.put(part.number(), known.get(part.path())));
        // Those that the last run did not sample, when the corpus had more parts, cannot be compared.
        List<CorpusPart> sampled = alike.stream().filter(part -> corpus.isSampled(part) && !known.get(part.path()).part().sample().isEmpty()).toList();
        boolean all = sampled.size() == alike.size();
        Set<String> different = new HashSet<>(sampled.stream().map(CorpusPart::path).toList());
        for (CorpusPart now : corpus.now(sampled)) {
            SeenPart then = known.get(now.path());
            if (then != null && then.part().looksLike(now) && now.sample().equals(then.part().sample())) {
                different.remove(now.path());
            }
        }
        sampled.stream().filter(part -> different.contains(part.path())).forEach(part -> same.remove(part.number()));
        if (!different.isEmpty()) {
            LOG.warn("{} files of the corpus, such as {}, have the length and the time of modification that the last run saw, but another content{}", different.size(),
                    different.stream().min(String::compareTo).orElseThrow(), all ? "" : "; as not all files can be compared, all are read");
        }
        if (!different.isEmpty() && !all) {
            return NONE;
        }
        Set<Long> lost = snapshots.partsWithoutLabels(earlier, seen);
        same.keySet().removeAll(lost);
        return same.isEmpty() ? NONE : of(snapshots, found, earlier, seen, same);
    }

    private static TakenOver of(Snapshots snapshots, List<CorpusPart> found, Snapshots.Earlier earlier, SeenCorpus seen, Map<Long, SeenPart> same) {
        if (same.size() == found.size() && same.size() == seen.parts().size() && earlier.has(seen)) {
            return new TakenOver(same, snapshots.again(earlier), seen.documents(), seen);
        }
        List<Long> gone = new ArrayList<>(seen.parts().stream().map(part -> part.part().number()).toList());
        gone.removeAll(same.keySet());
        return new TakenOver(same, snapshots.take(earlier, gone), snapshots.without(seen.documents(), gone), null);
    }

    boolean isEmpty() {
        return parts.isEmpty();
    }

    /** Whether the corpus and the cache are as the last run left them. */
    boolean isAll() {
        return unchanged != null;
    }

    boolean contains(CorpusPart part) {
        // A new file may have the number of another one.
        SeenPart held = parts.get(part.number());
        return held != null && held.part().path().equals(part.path());
    }

    PartCount count() {
        return parts.values().stream().map(SeenPart::count).reduce(PartCount.NONE, PartCount::plus);
    }

    /** Returns the documents that cannot be used; not if it is empty. */
    Dataset<Row> unusable() {
        return documents.where(functions.col("problem").isNotNull());
    }

    static Quarantined quarantined(Row document) {
        return new Quarantined(document.getString(1), null, null, document.getString(2));
    }

    /** Returns the ids of all usable documents, if the settings name a field with ids; not if it is empty. */
    Dataset<Row> ids() {
        return rows.rows().where("sequence = 0").select("document").union(documents.where("problem is null").select("document"));
    }
}
