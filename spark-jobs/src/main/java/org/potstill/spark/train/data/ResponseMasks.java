// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Supplier;
import org.apache.spark.Partitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.checkpoints.tokenizer.TokenBytes;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.cache.ResponseRuns;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.corpus.Responses;
import org.potstill.spark.corpus.TokenTexts;
import scala.Tuple2;

/**
 * Iterator over a partition's places with their loss masks, document by document: a response may continue in the next sequence of
 * its document, and a marker may straddle the boundary.
 */
final class ResponseMasks implements Iterator<LearntPlace> {
    /** Number of sequences processed together if their documents cannot be told apart. */
    private static final int ALONE = 1024;

    private final Iterator<Tuple2<SnapshotEntry, int[]>> rows;
    private final Responses responses;
    private final TokenBytes bytes;
    private Tuple2<SnapshotEntry, int[]> next;
    private Iterator<LearntPlace> ready = Collections.emptyIterator();
    /** Id that several documents share. */
    private String ambiguous;

    /** @param rows places and tokens, sorted by document and by sequence within it */
    ResponseMasks(Iterator<Tuple2<SnapshotEntry, int[]>> rows, Responses responses, TokenBytes bytes) {
        this.rows = rows;
        this.responses = responses;
        this.bytes = bytes;
        advance();
    }

    /**
     * Computes the masks of all places in a snapshot.
     *
     * @param tokens by key
     */
    static JavaRDD<LearntPlace> of(JavaRDD<SnapshotEntry> snapshot, Supplier<JavaPairRDD<String, int[]>> tokens, Responses responses,
            TokenizerDefinition tokenizer) {
        if (responses.isEverything()) {
            return snapshot.map(place -> new LearntPlace(place, null, false, true, false));
        }
        if (!responses.isSearched()) {
            return snapshot.map(place -> told(place, responses, place.sequence() == 0));
        }
        TokenTexts texts = TokenTexts.of(JavaSparkContext.fromSparkContext(snapshot.context()), tokenizer);
        return tokens.get().join(snapshot.mapToPair(place -> new Tuple2<>(place.key(), place)))
                .mapToPair(pair -> new Tuple2<>(pair._2()._2(), pair._2()._1()))
                .repartitionAndSortWithinPartitions(new ByDocument(snapshot.getNumPartitions()), new Order())
                .mapPartitions(rows -> new ResponseMasks(rows, responses, texts.get()));
    }

    /** Returns the mask of a sequence whose snapshot tells it; without one, there is nothing to learn from. */
    private static LearntPlace told(SnapshotEntry place, Responses responses, boolean begins) {
        ResponseRuns runs = place.responses();
        return new LearntPlace(place, runs == null ? new boolean[0] : responses.from().mask(runs.parts()), begins,
                runs != null && runs.last() != null, false);
    }

    private static final class ByDocument extends Partitioner {
        private static final long serialVersionUID = 1L;
        private final int partitions;

        ByDocument(int partitions) {
            this.partitions = Math.max(1, partitions);
        }

        @Override
        public int numPartitions() {
            return partitions;
        }

        @Override
        public int getPartition(Object place) {
            return Math.floorMod(((SnapshotEntry) place).document().hashCode(), partitions);
        }
    }

    private static final class Order implements Comparator<SnapshotEntry>, Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public int compare(SnapshotEntry one, SnapshotEntry other) {
            int document = one.document().compareTo(other.document());
            int sequence = document != 0 ? document : Integer.compare(one.sequence(), other.sequence());
            return sequence != 0 ? sequence : one.key().compareTo(other.key());
        }
    }

    private void advance() {
        next = rows.hasNext() ? rows.next() : null;
    }

    @Override
    public boolean hasNext() {
        while (!ready.hasNext() && next != null) {
            ready = document().iterator();
        }
        return ready.hasNext();
    }

    @Override
    public LearntPlace next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return ready.next();
    }

    private List<LearntPlace> document() {
        String id = next._1().document();
        boolean begins = !id.equals(ambiguous);
        List<Tuple2<SnapshotEntry, int[]>> document = new ArrayList<>();
        while (next != null && next._1().document().equals(id) && !(id.equals(ambiguous) && document.size() >= ALONE)) {
            if (!document.isEmpty() && isRival(document.get(document.size() - 1)._1(), next._1())) {
                ambiguous = id;
            }
            document.add(next);
            advance();
        }
        if (responses.areTold(document.get(0)._1().responses() != null)) {
            List<LearntPlace> places = new ArrayList<>();
            document.forEach(row -> places.add(told(row._1(), responses, begins && places.isEmpty())));
            return places;
        }
        return places(document, begins, id.equals(ambiguous));
    }

    private static boolean isRival(SnapshotEntry one, SnapshotEntry other) {
        return one.sequence() == other.sequence() && !one.key().equals(other.key());
    }

    private List<LearntPlace> places(List<Tuple2<SnapshotEntry, int[]>> document, boolean begins, boolean alone) {
        List<boolean[]> masks = new ArrayList<>();
        boolean isMarked = false;
        boolean isOpen = false;
        for (int from = 0; from < document.size();) {
            int to = from + 1;
            while (to < document.size() && goesOn(document.get(to - 1), document.get(to), alone)) {
                to++;
            }
            Responses.Found found = responses.find(pieces(document.subList(from, to)));
            isMarked |= found.isMarked();
            isOpen = found.isOpen();
            masks.addAll(cut(found.tokens(), document.subList(from, to)));
            from = to;
        }
        List<LearntPlace> places = new ArrayList<>();
        for (int i = 0; i < document.size(); i++) {
            places.add(new LearntPlace(document.get(i)._1(), masks.get(i), begins && i == 0, isMarked, isOpen));
        }
        return places;
    }

    /** Whether a row is the previous row's next sequence, or the same again; neither holds after a sequence that has no labels. */
    private static boolean goesOn(Tuple2<SnapshotEntry, int[]> before, Tuple2<SnapshotEntry, int[]> row, boolean alone) {
        return !alone && (isCopy(before, row) || row._1().sequence() == before._1().sequence() + 1
                && row._2()[0] == before._2()[before._2().length - 1]);
    }

    private static boolean isCopy(Tuple2<SnapshotEntry, int[]> before, Tuple2<SnapshotEntry, int[]> row) {
        return row._1().equals(before._1());
    }

    private List<byte[]> pieces(List<Tuple2<SnapshotEntry, int[]>> run) {
        List<int[]> sequences = new ArrayList<>();
        for (int i = 0; i < run.size(); i++) {
            if (i == 0 || !isCopy(run.get(i - 1), run.get(i))) {
                sequences.add(run.get(i)._2());
            }
        }
        return TokenTexts.pieces(sequences, bytes);
    }

    /** Splits a mask of tokens into masks of positions per sequence; position t predicts token t + 1. */
    private static List<boolean[]> cut(boolean[] tokens, List<Tuple2<SnapshotEntry, int[]>> run) {
        List<boolean[]> masks = new ArrayList<>();
        int begin = 1;
        for (int i = 0; i < run.size(); i++) {
            int positions = run.get(i)._2().length - 1;
            if (i > 0 && isCopy(run.get(i - 1), run.get(i))) {
                begin -= positions;
            }
            masks.add(Arrays.copyOfRange(tokens, begin, begin + positions));
            begin += positions;
        }
        return masks;
    }
}
