// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.sql;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.ApplyFunctionExpression;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.connector.catalog.functions.ScalarFunction;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.softlabels.TargetSpec;
import org.potstill.softlabels.TokenPrior;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.errors.TableErrors;
import scala.collection.Iterator;
import scala.collection.immutable.List$;

/**
 * The SQL function {@code potstill_decode(targets, tokens[, folder])}: the soft targets of a row of the cache, which say themselves what
 * kind they are, as an array with the ids and probabilities of each position.
 */
public final class DecodeFunction implements ScalarFunction<ArrayData>, Serializable {
    public static final String NAME = "potstill_decode";
    /** What it returns. */
    public static final DataType DISTRIBUTIONS = DataTypes.createArrayType(new StructType()
            .add("ids", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("probabilities", DataTypes.createArrayType(DataTypes.FloatType, false), false), false);
    private static final long serialVersionUID = 1L;
    private static final int USUAL_ARGUMENTS = 2;

    private final List<byte[]> priors;
    private transient Map<SoftTargetsCodec.Kind, SoftTargetsCodec> codecs;

    DecodeFunction(List<byte[]> priors) {
        this.priors = List.copyOf(priors);
    }

    /** Makes the expression of a call, see {@link PotstillExtensions}. */
    static Expression expression(scala.collection.Seq<Expression> arguments) {
        List<Expression> all = new ArrayList<>();
        for (Iterator<Expression> each = arguments.iterator(); each.hasNext();) {
            all.add(each.next());
        }
        if (all.size() < USUAL_ARGUMENTS || all.size() > USUAL_ARGUMENTS + 1) {
            throw TableErrors.badDecoding("it has " + all.size() + " arguments");
        }
        List<byte[]> priors = all.size() == USUAL_ARGUMENTS ? List.of() : LabelStores.priors(SparkSession.active(), folder(all.get(USUAL_ARGUMENTS)));
        return new ApplyFunctionExpression(new DecodeFunction(priors), List$.MODULE$.<Expression>empty().$colon$colon(all.get(1)).$colon$colon(all.get(0)));
    }

    private static String folder(Expression argument) {
        if (!argument.foldable() || !argument.dataType().equals(DataTypes.StringType)) {
            throw TableErrors.badDecoding("its third argument is not a string literal");
        }
        return String.valueOf(argument.eval(InternalRow.empty()));
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public DataType[] inputTypes() {
        return new DataType[] {DataTypes.BinaryType, DataTypes.createArrayType(DataTypes.IntegerType)};
    }

    @Override
    public DataType resultType() {
        return DISTRIBUTIONS;
    }

    /** @throws UserException if the row is damaged, or names a prior that is not at hand */
    @Override
    public ArrayData produceResult(InternalRow row) {
        if (row.isNullAt(0) || row.isNullAt(1)) {
            return null;
        }
        return distributions(decode(row.getArray(1).toIntArray(), row.getBinary(0)));
    }

    private SoftTargets decode(int[] tokens, byte[] targets) {
        SoftTargetsCodec.Kind kind = SoftTargetsCodec.Kind.of(targets)
                .orElseThrow(() -> TableErrors.badDecoding("a row has " + targets.length + " bytes of targets"));
        if (kind.vocabSize() < 1 || kind.vocabSize() > TokenPrior.MAX_VOCABULARY) {
            throw TableErrors.badDecoding("a row's targets are of a vocabulary of " + kind.vocabSize());
        }
        return codecs().computeIfAbsent(kind, this::codec).decode(tokens, targets);
    }

    private SoftTargetsCodec codec(SoftTargetsCodec.Kind kind) {
        int vocabSize = kind.vocabSize();
        return new SoftTargetsCodec(new TargetSpec(kind.k(), kind.draws(), 0), vocabSize, TokenPrior.none(vocabSize),
                priors.stream().map(bytes -> TokenPrior.read(bytes, vocabSize)).toList());
    }

    private synchronized Map<SoftTargetsCodec.Kind, SoftTargetsCodec> codecs() {
        if (codecs == null) {
            codecs = new ConcurrentHashMap<>();
        }
        return codecs;
    }

    private static ArrayData distributions(SoftTargets targets) {
        Object[] positions = new Object[targets.positions()];
        for (int t = 0; t < positions.length; t++) {
            int begin = targets.begin(t);
            int end = targets.end(t);
            positions[t] = new GenericInternalRow(new Object[] {
                UnsafeArrayData.fromPrimitiveArray(Arrays.copyOfRange(targets.ids(), begin, end)),
                UnsafeArrayData.fromPrimitiveArray(Arrays.copyOfRange(targets.probabilities(), begin, end))});
        }
        return new GenericArrayData(positions);
    }
}
