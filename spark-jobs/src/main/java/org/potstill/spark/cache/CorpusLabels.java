// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.errors.MixtureErrors;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The soft labels of a whole corpus, as its last label run left them: one teacher's or, of a {@link TeacherMixture}, each teacher's for its
 * own documents. Keys are of a teacher and its tokens, so that no two teachers have the same.
 */
public final class CorpusLabels {
    private final String cache;
    /** By the teacher's name, in this order; a single one has none. */
    private final Map<String, LabelStore> stores;
    private final TeacherMixture mixture;

    private CorpusLabels(String cache, Map<String, LabelStore> stores, TeacherMixture mixture) {
        this.cache = cache;
        this.stores = stores;
        this.mixture = mixture;
    }

    /**
     * Finds a cache's labels for a target specification.
     *
     * @param wanted   target specification
     * @param teachers fingerprints of all teachers; empty if the cache has only one, or one mixture
     * @throws org.potstill.errors.UserException if there are none, if they are ambiguous, or if they are not those of a whole corpus
     */
    public static CorpusLabels find(SparkSession spark, String cache, TargetSpec wanted, Collection<String> teachers) {
        List<LabelStore> all = LabelStores.all(spark, cache, wanted);
        List<LabelStore> found = teachers.isEmpty() ? all : teachers.stream().map(teacher -> LabelStores.ofTeacher(all, cache, teacher)).toList();
        Set<Optional<TeacherMixture>> mixtures = found.stream().map(LabelStore::mixture).collect(Collectors.toSet());
        TeacherMixture mixture = mixtures.size() > 1 ? null : mixtures.iterator().next().orElse(null);
        if (mixture == null && (teachers.isEmpty() || found.size() == 1)) {
            return new CorpusLabels(cache, Map.of("", LabelStores.ofTeacher(found, cache, null)), null);
        }
        if (found.size() == 1) {
            throw MixtureErrors.partOfMixture(found.get(0).folder().path().toString(), mixture.teachers().keySet());
        }
        Map<String, LabelStore> byTeacher = new LinkedHashMap<>();
        found.forEach(store -> byTeacher.put(store.labels().teacher(), store));
        if (mixture == null || !byTeacher.keySet().equals(new HashSet<>(mixture.teachers().values()))) {
            throw MixtureErrors.notOneMixture(cache, found.stream().map(store -> store.labels().folder()).toList());
        }
        Map<String, LabelStore> stores = new LinkedHashMap<>();
        mixture.teachers().forEach((name, print) -> stores.put(name, byTeacher.get(print)));
        return new CorpusLabels(cache, stores, mixture);
    }

    /** Returns the labels by the teacher's name, in its order; the only teacher has the name "". */
    public Map<String, LabelStore> stores() {
        return stores;
    }

    public boolean isMixture() {
        return mixture != null;
    }

    /** Names them as messages do. */
    public String name() {
        return mixture == null ? first().folder().path().toString() : cache;
    }

    private LabelStore first() {
        return stores.values().iterator().next();
    }

    /** Returns the identity of each teacher's labels. */
    public List<Labels> labels() {
        return stores.values().stream().map(LabelStore::labels).toList();
    }

    /** Returns the tokenizer: of a mixture, that of the first teacher by name. */
    public TokenizerDefinition tokenizer() {
        return first().tokenizer();
    }

    /** Returns the size of the largest teacher's vocabulary. */
    public int vocabSize() {
        return labels().stream().mapToInt(Labels::vocabSize).max().orElseThrow();
    }

    public long bytes() {
        return stores.values().stream().mapToLong(LabelStore::bytes).sum();
    }

    /** Returns the settings of the current snapshot, see {@link LabelStore#currentSnapshot}; of a mixture, with sums and each teacher's part. */
    public ObjectNode snapshot() {
        ObjectNode all = first().currentSnapshot().deepCopy();
        if (mixture != null) {
            all.remove(List.of("run", "corpus.where"));
            TeacherMixture.removeFrom(all);
            all.put("id", mixture.id());
            ObjectNode teachers = all.putObject("teachers");
            stores.forEach((name, store) -> teachers.putObject(name).put("fingerprint", store.labels().teacher())
                    .setAll(((ObjectNode) store.currentSnapshot()).deepCopy().retain("corpus.where", "documents", "held_out", "sequences", "positions")));
            for (String count : List.of("documents", "held_out", "sequences", "positions")) {
                all.put(count, stores.values().stream().mapToLong(store -> store.currentSnapshot().path(count).asLong()).sum());
            }
        }
        return all;
    }

    /** Returns the places of all sequences of the corpus. */
    public JavaRDD<SnapshotEntry> entries() {
        return union(LabelStore::snapshot);
    }

    /** Returns all rows; several may have the same key, and are the same. */
    public JavaRDD<LabelledSequence> rows() {
        return union(store -> store.rows().javaRDD().map(LabelStore::sequence));
    }

    /** Returns each key's number of positions and teacher loss, without reading soft targets. */
    public JavaPairRDD<String, RowFacts> facts() {
        return union(LabelStore::facts).mapToPair(RowFacts::byKey).reduceByKey((one, same) -> one);
    }

    /** Returns each key's token ids, without reading soft targets. */
    public JavaPairRDD<String, int[]> tokens() {
        return union(LabelStore::tokens).mapToPair(row -> row).reduceByKey((one, same) -> one);
    }

    private <T> JavaRDD<T> union(Function<LabelStore, JavaRDD<T>> part) {
        return stores.values().stream().map(part).reduce(JavaRDD::union).orElseThrow();
    }

    /** Returns the description of each teacher, by its name, with its tokenizer's fingerprint. */
    public ObjectNode teachers() {
        ObjectNode teachers = HadoopFolder.JSON.createObjectNode();
        stores.forEach((name, store) -> teachers.set(name, store.provenance().path("teacher").<ObjectNode>deepCopy()
                .put("tokenizer", store.labels().tokenizer())));
        return teachers;
    }

    /** Returns the provenance of the first teacher's labels. */
    public JsonNode provenance() {
        return first().provenance();
    }

    /** Joins distinct texts of all teachers' labels, such as their fingerprints. */
    public String joined(Function<Labels, String> text) {
        return labels().stream().map(text).distinct().collect(Collectors.joining(","));
    }
}
