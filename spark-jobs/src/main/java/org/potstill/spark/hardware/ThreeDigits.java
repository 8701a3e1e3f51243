// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.math.BigDecimal;
import java.math.MathContext;

/** Figures of any size, rounded to three digits. */
public final class ThreeDigits {
    private static final MathContext DIGITS = new MathContext(3);

    private ThreeDigits() {
    }

    /** Returns a number without an exponent. */
    public static String of(double value) {
        return new BigDecimal(value).round(DIGITS).toPlainString();
    }
}
