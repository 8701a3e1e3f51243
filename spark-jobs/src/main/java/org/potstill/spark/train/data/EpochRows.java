// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.IOException;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.function.LongConsumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.filter2.compat.FilterCompat;
import org.apache.parquet.filter2.predicate.FilterApi;
import org.apache.parquet.filter2.predicate.Operators.LongColumn;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Types;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.storage.ParquetRows;
import scala.Tuple2;

/** The Parquet file of a part of an epoch: sequences by {@link TrainingPlan#slot}. */
final class EpochRows {
    private static final LongColumn SLOT = FilterApi.longColumn("slot");
    private static final MessageType SCHEMA = Types.buildMessage()
            .required(PrimitiveTypeName.INT64).named("slot")
            .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("key")
            .requiredList().requiredElement(PrimitiveTypeName.INT32).named("tokens")
            .required(PrimitiveTypeName.BINARY).named("targets")
            .optional(PrimitiveTypeName.BINARY).named("counted")
            .named("sequence");

    private EpochRows() {
    }

    /**
     * Writes sequences, without what training does not need of them.
     *
     * @param sorted      by slot; of several with the same slot, which are the same, one is written
     * @param rowsPerPage rows that are read together
     * @param written     is told of each sequence's positions
     */
    static void write(Iterator<Tuple2<Long, LearntSequence>> sorted, int rowsPerPage, LongConsumer written, FSDataOutputStream out,
            Configuration hadoop) throws IOException {
        ParquetRows.write(out, hadoop, SCHEMA, Set.of(), Map.of(), rowsPerPage, new Distinct(sorted), (row, group) -> {
            LearntSequence sequence = row._2();
            group.append("slot", row._1().longValue()).append("key", sequence.row().key());
            ParquetRows.putInts(group, "tokens", sequence.row().tokens());
            group.append("targets", Binary.fromConstantByteArray(sequence.row().targets()));
            if (sequence.counted() != null) {
                group.append("counted", Binary.fromConstantByteArray(bytes(sequence.counted())));
            }
            written.accept(sequence.row().positions());
        });
    }

    /**
     * Opens a file to read some of its rows.
     *
     * @param begin first slot
     * @param end   slot after the last
     */
    static ParquetReader<Group> read(Path file, Configuration hadoop, long begin, long end) throws IOException {
        return ParquetReader.builder(new GroupReadSupport(), file).withConf(hadoop)
                .withFilter(FilterCompat.get(FilterApi.and(FilterApi.gtEq(SLOT, begin), FilterApi.lt(SLOT, end)))).usePageChecksumVerification().build();
    }

    static long slot(Group row) {
        return row.getLong("slot", 0);
    }

    static LearntSequence sequence(Group row) {
        boolean[] counted = row.getFieldRepetitionCount("counted") == 0 ? null : flags(row.getBinary("counted", 0).getBytes());
        return new LearntSequence(new LabelledSequence("", row.getString("key", 0), ParquetRows.ints(row, "tokens"), row.getBinary("targets", 0).getBytes(), 0, 0), counted);
    }

    private static byte[] bytes(boolean[] flags) {
        byte[] bytes = new byte[flags.length];
        for (int i = 0; i < flags.length; i++) {
            bytes[i] = (byte) (flags[i] ? 1 : 0);
        }
        return bytes;
    }

    private static boolean[] flags(byte[] bytes) {
        boolean[] flags = new boolean[bytes.length];
        for (int i = 0; i < flags.length; i++) {
            flags[i] = bytes[i] != 0;
        }
        return flags;
    }

    /** The first of each run of rows with the same slot. */
    private static final class Distinct implements Iterator<Tuple2<Long, LearntSequence>> {
        private final Iterator<Tuple2<Long, LearntSequence>> rows;
        private Tuple2<Long, LearntSequence> next;

        Distinct(Iterator<Tuple2<Long, LearntSequence>> rows) {
            this.rows = rows;
            this.next = rows.hasNext() ? rows.next() : null;
        }

        @Override
        public boolean hasNext() {
            return next != null;
        }

        @Override
        public Tuple2<Long, LearntSequence> next() {
            Tuple2<Long, LearntSequence> found = next;
            if (found == null) {
                throw new NoSuchElementException();
            }
            do {
                next = rows.hasNext() ? rows.next() : null;
            } while (next != null && next._1().equals(found._1()));
            return found;
        }
    }
}
