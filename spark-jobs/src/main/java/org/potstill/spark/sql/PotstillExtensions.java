// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.sql;

import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.potstill.spark.Plans;
import scala.Function1;
import scala.Tuple3;
import scala.collection.Iterator;
import scala.runtime.BoxedUnit;

/**
 * Adds {@code potstill_decode} to Spark SQL, by
 * {@code spark.sql.extensions = org.potstill.spark.sql.PotstillExtensions} or, in a session that has begun, by {@link #register}.
 */
public final class PotstillExtensions implements Function1<SparkSessionExtensions, BoxedUnit> {
    private static final ExpressionInfo INFO = new ExpressionInfo(DecodeFunction.class.getName(), null, DecodeFunction.NAME,
            "_FUNC_(targets, tokens[, folder]) - Decodes the soft targets of a sequence of these tokens.",
            "\n    Arguments:\n      * targets, tokens - columns of a cache's labels\n"
                    + "      * folder - string literal: the cache, or its folder teacher=.../spec=..., for rows that name a prior\n  ",
            "", "", "", "", "", "java_udf");

    @Override
    public BoxedUnit apply(SparkSessionExtensions extensions) {
        extensions.injectFunction(new Tuple3<>(new FunctionIdentifier(DecodeFunction.NAME), INFO, DecodeFunction::expression));
        return BoxedUnit.UNIT;
    }

    /** Adds the function to a session that lacks it. */
    public static void register(SparkSession spark) {
        FunctionRegistry functions = Plans.state(spark).functionRegistry();
        for (Iterator<FunctionIdentifier> each = functions.listFunction().iterator(); each.hasNext();) {
            if (each.next().funcName().equals(DecodeFunction.NAME)) {
                return;
            }
        }
        // By which Spark 4.2 completes the function's name; its registry takes no other.
        SparkSessionExtensions extensions = new SparkSessionExtensions();
        new PotstillExtensions().apply(extensions);
        extensions.registerFunctions(functions);
    }
}
