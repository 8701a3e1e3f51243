// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelFile;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.errors.JobErrors;

/** Search for one sequence in a cache, decoded for display. */
public final class SequenceJob {
    /** Maximum number of keys listed in a message if several match. */
    private static final int NAMED = 5;

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Selection selection;
    private final int limit;

    /** @param limit maximum number of positions to return */
    public SequenceJob(SparkSession spark, Selection selection, int limit) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.selection = selection;
        this.limit = limit;
    }

    private record Place(String key, String path) implements Serializable {
    }

    /** Location of a row. */
    private record Found(LabelStore store, Place place) {
    }

    /**
     * Finds a sequence by key.
     *
     * @param prefix prefix of exactly one key
     */
    public DecodedSequence byKey(String prefix) {
        String wanted = "a key that begins with " + VisibleText.of(prefix, 64);
        if (!prefix.matches("[0-9a-f]{1,32}")) {
            throw JobErrors.noSuchSequence(selection.cache(), wanted, "keys are 32 of the digits 0 to 9 and a to f");
        }
        List<Found> found = new ArrayList<>();
        for (LabelStore store : selection.stores(spark)) {
            places(store, prefix).forEach(place -> found.add(new Found(store, place)));
        }
        List<String> keys = found.stream().map(f -> f.place().key()).distinct().limit(NAMED).toList();
        if (keys.isEmpty()) {
            throw JobErrors.noSuchSequence(selection.cache(), wanted, "no readable row has it");
        }
        if (keys.size() > 1) {
            throw JobErrors.ambiguousSequence(selection.cache(), wanted, keys);
        }
        return decode(found.get(0));
    }

    /**
     * Finds a sequence of a document.
     *
     * @param id       id of a document in the current snapshot
     * @param sequence zero-based number of the sequence in the document
     */
    public DecodedSequence ofDocument(String id, int sequence) {
        String wanted = "the number " + sequence + " of the document " + VisibleText.of(id, 200);
        List<LabelStore> stores = selection.stores(spark).stream().filter(LabelStore::hasSnapshot).toList();
        if (stores.isEmpty()) {
            throw JobErrors.noSuchSequence(selection.cache(), wanted, "no label run has finished");
        }
        Map<LabelStore, SnapshotEntry> entries = new LinkedHashMap<>();
        for (LabelStore store : stores) {
            store.snapshot().filter(e -> e.document().equals(id) && e.sequence() == sequence).take(1).forEach(entry -> entries.put(store, entry));
        }
        if (entries.isEmpty()) {
            throw JobErrors.noSuchSequence(selection.cache(), wanted, "it is not in the current snapshot");
        }
        if (entries.size() > 1) {
            throw JobErrors.ambiguousSequence(selection.cache(), wanted, entries.keySet().stream().map(s -> s.labels().folder()).toList());
        }
        Map.Entry<LabelStore, SnapshotEntry> only = entries.entrySet().iterator().next();
        LabelStore store = only.getKey();
        List<Place> places = places(store, only.getValue().key());
        if (places.isEmpty()) {
            throw JobErrors.missingLabels(store.folder().path().toString(), 1, 1);
        }
        return decode(new Found(store, places.get(0)));
    }

    /** Returns a few rows with distinct keys that have the prefix. */
    private List<Place> places(LabelStore store, String prefix) {
        return new LabelFiles(sc, store).map((path, hadoop) -> {
            List<Place> places = new ArrayList<>();
            LabelFiles.read(path, hadoop, LabelFile.KEYS, row -> {
                if (row.key().startsWith(prefix)) {
                    places.add(new Place(row.key(), path));
                }
            });
            return places;
        }).flatMap(List::iterator).mapToPair(place -> new scala.Tuple2<>(place.key(), place))
                .reduceByKey((a, b) -> a.path().compareTo(b.path()) <= 0 ? a : b).values().take(NAMED);
    }

    private DecodedSequence decode(Found found) {
        Place place = found.place();
        Broadcast<SerializableConfiguration> shared = Cluster.hadoop(sc);
        LabelledSequence row = sc.parallelize(List.of(place), 1).map(p -> row(p, shared.value().value())).first();
        LabelStore store = found.store();
        TokenizerDefinition definition = store.tokenizer();
        if (!definition.fingerprint().equals(store.labels().tokenizer())) {
            throw JobErrors.damagedJson(store.folder().path("tokenizer.json").toString(), "it is not the tokenizer of provenance.json");
        }
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            return DecodedSequence.of(store.folder().path().toString(), LabelFiles.name(place.path()), row,
                    store.labels().decode(row, place.path()), tokenizer, limit);
        }
    }

    private static LabelledSequence row(Place place, Configuration hadoop) {
        List<LabelledSequence> rows = new ArrayList<>();
        String torn = LabelFiles.read(place.path(), hadoop, LabelFile.ALL, row -> {
            if (rows.isEmpty() && row.key().equals(place.key())) {
                rows.add(row);
            }
        });
        if (rows.isEmpty()) {
            throw JobErrors.damagedRow(place.path(), place.key(), torn);
        }
        return rows.get(0);
    }
}
