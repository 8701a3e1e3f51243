// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SimdTest {
    private static final String MODULE = "--add-modules=jdk.incubator.vector";

    /** A reference to the constructor instead would load the class, which needs the module. */
    private static Row vectors(int length) {
        return new VectorRow(length);
    }

    /** Prints how this JVM computes. */
    public static void main(String[] args) {
        System.out.print(Simd.HERE + " | " + Simd.HERE.width() + " | " + Row.ofFloats(1).getClass().getSimpleName());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            -XX:MaxVectorSize=16    | SIMD: 4 floats per vector | 128-bit | VectorRow
            -Dpotstill.simd=off     | no SIMD: turned off by -Dpotstill.simd=off | none | FloatRow
            -XX:MaxVectorSize=8     | no SIMD: vectors have 64 bits, fewer than 128; remove | none | FloatRow
            -XX:UseAVX=0            | no SIMD: the processor has no fused multiply-add, or Java may not use it; remove | none | FloatRow
            -Xint                   | no SIMD: the JIT compiler C2 is not in use | none | FloatRow
            -XX:TieredStopAtLevel=1 | no SIMD: the JIT compiler C2 is not in use | none | FloatRow
            -XX:TieredStopAtLevel=3 | no SIMD: the JIT compiler C2 is not in use | none | FloatRow
            """)
    void aJvmUsesSimdOnlyWhereItPays(String option, String message, String width, String row) throws Exception {
        assertSays(message, width, row, MODULE, option);
    }

    @Test
    void withoutTheModuleTheMessageSaysWhichOptionIsMissing() throws Exception {
        assertSays("no SIMD: the module jdk.incubator.vector is missing; start Java with " + MODULE, "none", "FloatRow");
    }

    private static void assertSays(String message, String width, String row, String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m"));
        command.addAll(List.of(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), SimdTest.class.getName()));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor());
        assertTrue(output.startsWith(message) && output.endsWith(" | " + width + " | " + row), output);
    }

    @Test
    void anotherJavaOrAnUnknownValueOfTheSwitchIsRefused() {
        assertEquals("this is Java 16, and SIMD needs Java 17 or later; use Java 17", refusal("auto", 16, SimdTest::vectors));
        assertEquals("-Dpotstill.simd=of has an unknown value; set it to auto or off", refusal("of", 17, SimdTest::vectors));
    }

    @Test
    void anApiThatCannotBeLinkedOrMiscomputesIsRefused() {
        assertEquals("", refusal("auto", 17, SimdTest::vectors));
        assertEquals("", refusal("auto", 25, SimdTest::vectors));
        assertEquals("the Vector API fails its test (java.lang.NoSuchMethodError: fma); use OpenJDK 17", refusal("auto", 17, length -> {
            throw new NoSuchMethodError("fma");
        }));
        String miscomputed = refusal("auto", 17, length -> (Row) Proxy.newProxyInstance(Row.class.getClassLoader(),
                new Class<?>[] {Row.class}, new Miscounting(new DoubleRow(length))));
        assertTrue(miscomputed.startsWith("the Vector API fails its test (wrong result: "), miscomputed);
    }

    private static String refusal(String chosen, int java, IntFunction<Row> rows) {
        return Simd.detect(chosen, java, rows).refusal();
    }

    private record Miscounting(Row row) implements InvocationHandler {
        @Override
        public Object invoke(Object proxy, Method method, Object[] arguments) throws ReflectiveOperationException {
            Object[] plain = Stream.of(arguments)
                    .map(a -> a instanceof Row ? ((Miscounting) Proxy.getInvocationHandler(a)).row() : a).toArray();
            Object result = method.invoke(row, plain);
            return method.getName().equals("sum") ? (double) result + 1 : result;
        }
    }
}
