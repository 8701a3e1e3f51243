// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.Optional;
import java.util.function.IntFunction;
import jdk.incubator.vector.VectorShape;

/**
 * Whether elementwise work uses the Vector API. That pays only where the JIT compiler turns it into SIMD instructions: elsewhere
 * every vector is an object, and plain loops are many times faster. Decided once per JVM, by facts that a rerun finds again, not
 * by timing, as both paths round differently.
 *
 * @param bits    width of the vectors; 0 for none
 * @param refusal why there are none and what to do about it; empty if there are
 */
public record Simd(int bits, String refusal) {
    /** System property; {@code off} refuses the Vector API. */
    static final String SWITCH = "potstill.simd";
    private static final String OFF = "turned off by -D" + SWITCH + "=off";
    /** The oldest version with what is used here. The API is incubating: whether a later one still fits, the test of all loops tells. */
    private static final int JAVA = 17;
    private static final String MODULE = "jdk.incubator.vector";
    /** At 128 bits, dot products and exp are measured twice as fast as plain loops. */
    private static final int MIN_BITS = 128;
    /** C2's level among tiered compilations. */
    private static final int C2 = 4;
    /** Several vectors of any width, and some elements more. */
    private static final int TRIED = 70;
    private static final double TOLERANCE = 1e-5;

    public static final Simd HERE = detect(System.getProperty(SWITCH, "auto"), Runtime.version().feature(), length -> new VectorRow(length));

    /** Whether the user turned SIMD off. */
    public boolean isTurnedOff() {
        return refusal.equals(OFF);
    }

    /** Returns the width in one word, for provenance: {@code 256-bit}, or {@code none}. */
    public String width() {
        return bits == 0 ? "none" : bits + "-bit";
    }

    @Override
    public String toString() {
        return bits == 0 ? "no SIMD: " + refusal : "SIMD: " + bits / Float.SIZE + " floats per vector";
    }

    /**
     * Chooses between the Vector API and plain loops.
     *
     * @param chosen value of {@link #SWITCH}
     * @param java   version of Java
     * @param rows   makes rows that use the Vector API
     */
    static Simd detect(String chosen, int java, IntFunction<Row> rows) {
        Optional<String> refusal = refusal(chosen, java).or(() -> failure(rows)
                .map(failure -> "the Vector API fails its test (" + failure + "); use OpenJDK " + JAVA));
        return refusal.map(why -> new Simd(0, why)).orElseGet(() -> new Simd(preferredBits(), ""));
    }

    private static Optional<String> refusal(String chosen, int java) {
        if (chosen.equals("off")) {
            return Optional.of(OFF);
        }
        if (!chosen.equals("auto")) {
            return Optional.of("-D" + SWITCH + "=" + chosen + " has an unknown value; set it to auto or off");
        }
        if (java < JAVA) {
            return Optional.of("this is Java " + java + ", and SIMD needs Java " + JAVA + " or later; use Java " + JAVA);
        }
        if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
            return Optional.of("the module " + MODULE + " is missing; start Java with --add-modules=" + MODULE);
        }
        if (!isCompiledByC2()) {
            return Optional.of("the JIT compiler C2 is not in use (" + System.getProperty("java.vm.name") + ", "
                    + System.getProperty("java.vm.info") + "); use OpenJDK " + JAVA
                    + " without options for its compilers, such as -Xint or -XX:TieredStopAtLevel");
        }
        if (!flag("UseFMA").equals("true")) {
            // Java would then compute each exactly, in BigDecimal: measured 10,000 times slower.
            return Optional.of("the processor has no fused multiply-add, or Java may not use it; remove the Java options -XX:-UseFMA "
                    + "and -XX:UseAVX");
        }
        int bits = preferredBits();
        return bits >= MIN_BITS ? Optional.empty()
                : Optional.of("vectors have " + bits + " bits, fewer than " + MIN_BITS + "; remove the Java option -XX:MaxVectorSize");
    }

    private static int preferredBits() {
        return VectorShape.preferredShape().vectorBitSize();
    }

    private static boolean isCompiledByC2() {
        boolean stopsBefore = flag("TieredCompilation").equals("true") && Integer.parseInt(flag("TieredStopAtLevel")) < C2;
        return !flag("MaxVectorSize").isEmpty() && flag("UseCompiler").equals("true") && !stopsBefore
                && !System.getProperty("java.vm.info").contains("emulated-client")
                // Experimental flags, which are hidden, and have these values, unless experimental flags are unlocked.
                && !flag("EnableVectorSupport").equals("false") && !flag("UseJVMCICompiler").equals("true");
    }

    /** Returns the value of one of HotSpot's flags; empty if this JVM is another, has no such flag or hides it. */
    private static String flag(String name) {
        HotSpotDiagnosticMXBean jvm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        try {
            return jvm == null ? "" : jvm.getVMOption(name).getValue();
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    /** Compares the results of all loops with those of plain loops. Methods that this Java lacks are found only when they are called. */
    private static Optional<String> failure(IntFunction<Row> rows) {
        try {
            Row computed = everyLoop(rows);
            Row expected = everyLoop(DoubleRow::new);
            int[] bits = new int[TRIED];
            short[] rounded = new short[TRIED];
            for (int i = 0; i < TRIED; i++) {
                bits[i] = Float.floatToRawIntBits((float) expected.get(i));
            }
            int whole = VectorRow.roundToBf16(bits, rounded, TRIED);
            for (int i = 0; i < TRIED; i++) {
                if (!(Math.abs(computed.get(i) - expected.get(i)) <= TOLERANCE)) {
                    return Optional.of("wrong result: " + computed.get(i) + ", not " + expected.get(i));
                }
                if (i < whole && rounded[i] != Bf16Products.rounded(bits[i])) {
                    return Optional.of("wrong rounding of " + expected.get(i));
                }
            }
            return Optional.empty();
        } catch (RuntimeException | LinkageError e) {
            return Optional.of(e.toString());
        }
    }

    private static Row everyLoop(IntFunction<Row> rows) {
        Row x = rows.apply(TRIED);
        Row y = rows.apply(TRIED);
        Row z = rows.apply(TRIED);
        for (int i = 0; i < TRIED; i++) {
            x.set(i, Math.sin(i));
            y.set(i, Math.cos(i));
        }
        x.scale(TRIED, x.max(TRIED) / 2);
        x.exp(TRIED, 0.5);
        x.add(TRIED, x.sum(TRIED) / TRIED, y);
        x.add(TRIED, x.dot(TRIED, y) / TRIED, y, y);
        x.multiply(TRIED, y);
        z.sigmoid(TRIED, x);
        y.siluDerivative(TRIED, x, z);
        y.rotate(1, TRIED, z, -1);
        return y;
    }
}
