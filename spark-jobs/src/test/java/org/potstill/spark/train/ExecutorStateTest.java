package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.Labels;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;

/** An executor that asks itself, over the network. */
class ExecutorStateTest {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);
    private static final String RUN = "0123456789abcdef";
    private static final int WORKERS = 3;

    private final WorkerSetup setup = new WorkerSetup(CONFIG, TrainingOptions.NONE, new Labels("a", "b", 37, TargetSpec.parse("top-8")),
            new Responses(new int[0], new int[0]), "cache", 1, Payload.FP32, new OuterOptimizer(0, 1), 20);
    private JavaSparkContext sc;
    private ModelState begin;
    private StateLayout layout;
    private ExecutorState executor;

    @BeforeEach
    void begin() throws Exception {
        sc = new JavaSparkContext(Distillery.spark().sparkContext());
        try (Student student = Student.create(CONFIG, TrainingOptions.NONE, 1)) {
            begin = new ModelState(student.parameters(), student.updaterState(), new float[0]);
        }
        layout = StateLayout.of(begin, WORKERS);
        executor = ExecutorState.of(RUN, setup, layout);
        executor.begin(ofDriver(), 0);
    }

    @AfterEach
    void end() throws IOException {
        Exchange.get().ask(me(), PeerMessages.Question.end(RUN).bytes());
    }

    private StateSource ofDriver() {
        return StateSource.ofDriver(RUN, 0, java.util.stream.IntStream.range(0, WORKERS).mapToObj(i -> sc.broadcast(layout.cut(begin, i))).toList());
    }

    private static Peer me() {
        return Exchange.get().address();
    }

    /** As if a worker had trained to these parameters. */
    private StateSource.Contribution reach(int worker, long positions, float[] parameters) {
        Student student = executor.students().borrow(0);
        student.setParameters(parameters);
        List<ByteBuffer> slices = new ArrayList<>();
        List<ByteBuffer> moments = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            slices.add(student.parameters(slice.firstParameter(), slice.parameters()));
            moments.add(student.updaterState(slice.firstMoment(), slice.moments()));
        }
        executor.students().keep(0, worker, new Reached(student, slices, moments));
        return new StateSource.Contribution(worker, positions, me());
    }

    private float[] random(int seed) {
        Random random = new Random(seed);
        float[] values = new float[begin.parameters().length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private ModelState fetch(StateSource source) throws PeersLostException {
        ModelState whole = layout.blank();
        for (int i = 0; i < layout.slices(); i++) {
            layout.paste(source.fetch(i, layout, Exchange.get(), null), i, whole);
        }
        return whole;
    }

    @Test
    void theOwnerOfASliceAveragesWhatWorkersReachedForWhoeverAsks() throws Exception {
        List<StateSource.Contribution> made = new ArrayList<>();
        double[] sum = new double[begin.parameters().length];
        for (int worker = 0; worker < WORKERS; worker++) {
            float[] parameters = random(worker);
            made.add(reach(worker, 1 + worker, parameters));
            for (int i = 0; i < sum.length; i++) {
                sum[i] += (1 + worker) / 6.0 * parameters[i];
            }
        }
        float[] average = fetch(StateSource.average(RUN, 1, made)).parameters();
        for (int i = 0; i < sum.length; i++) {
            assertEquals(sum[i], average[i], 1e-6);
        }
        // Once made it is there for all, also where the owner were another.
        assertArrayEquals(average, fetch(StateSource.average(RUN, 1, made).heldBy(List.of(me()))).parameters());
    }

    @Test
    void whoDoesNotAnswerIsNamed() throws Exception {
        Peer nobody;
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            nobody = new Peer("127.0.0.1", closed.getLocalPort());
        }
        List<StateSource.Contribution> made = List.of(reach(0, 1, random(0)), new StateSource.Contribution(1, 1, nobody));
        StateSource source = StateSource.average(RUN, 1, made);
        assertEquals(Set.of(nobody), assertThrows(PeersLostException.class, () -> fetch(source)).peers());
        assertEquals(Set.of(nobody), assertThrows(PeersLostException.class, () -> executor.begin(source, 0)).peers());
        // One who answers, and has nothing of it.
        StateSource unknown = StateSource.average("abc", 1, List.of(made.get(0)));
        assertEquals(Set.of(me()), assertThrows(PeersLostException.class, () -> fetch(unknown)).peers());
    }

    @Test
    void anotherHolderIsAskedWhereASlicesOwnerIsGone() throws Exception {
        Peer nobody = new Peer("127.0.0.1", 1);
        executor.begin(ofDriver(), 1);
        StateSource source = new StateSource(RUN, 0, List.of(), List.of(), List.of(nobody, me()));
        assertArrayEquals(begin.parameters(), fetch(source).parameters());
    }

    @Test
    void noStudentTrainsOnWhileItsMemoryIsBeingSent() {
        reach(0, 1, random(0));
        String name = ExecutorState.name(RUN, 0, 0, 0, Reached.PARAMETERS);
        StudentPool.Reading one = ExecutorState.read(name);
        StudentPool.Reading two = ExecutorState.read(name);
        Student other = executor.students().borrow(1);
        assertThrows(IllegalArgumentException.class, () -> ExecutorState.read(name));
        one.done().run();
        one.done().run();
        Student third = executor.students().borrow(1);
        assertNotSame(other, third);
        two.done().run();
        Student first = executor.students().borrow(1);
        assertNotSame(other, first);
        assertNotSame(third, first);
        executor.students().giveBack(first);
        assertSame(first, executor.students().borrow(1));
        executor.students().giveBack(first);
        executor.students().giveBack(other);
        executor.students().giveBack(third);
    }

    @Test
    void strangersAreRefusedAndOthersServedAllTheSame() throws Exception {
        Exchange exchange = Exchange.get();
        int bytes = layout.slice(0).bytes();
        for (String name : List.of("", "nonsense", RUN + "/0", RUN + "/0/999", RUN + "/7/0", "abc/0/0", RUN + "/0/0/0/0", RUN + "/0/0/0/2",
                RUN + "/99999999999999999999/0", "../../etc/passwd")) {
            assertThrows(IOException.class, () -> Exchange.await(exchange.fetch(me(), name, new byte[bytes])), name);
        }
        String good = ExecutorState.name(RUN, 0, 0);
        assertThrows(IOException.class, () -> Exchange.await(exchange.fetch(me(), good, new byte[bytes - 1])));
        assertThrows(IOException.class, () -> Exchange.await(exchange.fetch(me(), good, new byte[bytes + 1])));
        Random random = new Random(1);
        for (int i = 0; i < 1000; i++) {
            byte[] question = new byte[random.nextInt(80)];
            random.nextBytes(question);
            try {
                PeerMessages.Answer answer = PeerMessages.Answer.of(exchange.ask(me(), ByteBuffer.wrap(question)));
                assertFalse(answer.has());
            } catch (IOException e) {
                assertTrue(e.getMessage() != null);
            }
        }
        assertArrayEquals(layout.cut(begin, 0), Exchange.await(exchange.fetch(me(), good, new byte[bytes])));
    }

    @Test
    void aQuestionAndAnAnswerArriveAsTheyWere() throws Exception {
        PeerMessages.Question question = new PeerMessages.Question(RUN, 7, 3, List.of(new StateSource.Contribution(1, 1L << 40, new Peer("host", 65_535))));
        assertEquals(question, PeerMessages.Question.of(question.bytes()));
        PeerMessages.Answer answer = new PeerMessages.Answer(false, Set.of(new Peer("a", 1), new Peer("b", 2)));
        assertEquals(answer, PeerMessages.Answer.of(answer.bytes()));
        ByteBuffer many = new PeerMessages.Question("a", 1, 1, List.of()).bytes();
        many.putInt(many.capacity() - Integer.BYTES, Integer.MAX_VALUE);
        assertThrows(IOException.class, () -> PeerMessages.Question.of(many));
    }

    @Test
    void aRunThatEndedIsForgotten() throws Exception {
        end();
        assertThrows(IllegalArgumentException.class, () -> ExecutorState.read(ExecutorState.name(RUN, 0, 0)));
    }
}
