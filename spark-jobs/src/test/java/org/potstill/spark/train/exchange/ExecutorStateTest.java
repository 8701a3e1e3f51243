// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.client.TransportClientBootstrap;
import org.apache.spark.network.crypto.AuthClientBootstrap;
import org.apache.spark.network.crypto.AuthServerBootstrap;
import org.apache.spark.network.server.NoOpRpcHandler;
import org.apache.spark.network.server.RpcHandler;
import org.apache.spark.network.server.StreamManager;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Eventually;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.hardware.Arithmetic;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.ModelState;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.loss.Objective;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;

/** An executor that asks itself, over the network. */
class ExecutorStateTest {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);
    private static final Meter METER = new Meter(ModelFlops.of(CONFIG), Arithmetic.FP32, 1, 1, 0);
    private static final int WORKERS = 3;

    private final WorkerSetup setup = new WorkerSetup(CONFIG, TrainingOptions.NONE, TrainingEngine.DL4J, List.of(new Labels("a", "b", 37, TargetSpec.parse("top-8"))),
            "cache", 1, Averaging.EVERYTHING, 0, Payload.FP32, new OuterOptimizer(0, 1), METER, 20);
    private final String run = UUID.randomUUID().toString();
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
        layout = begin.layout(WORKERS);
        executor = ExecutorState.of(run, setup, layout);
        executor.begin(ofDriver(), 0);
    }

    @AfterEach
    void end() throws IOException {
        Exchange.await(Exchange.get().ask(me(), PeerMessages.Question.end(run)));
    }

    private StateSource ofDriver() {
        return StateSource.ofDriver(run, 0, IntStream.range(0, WORKERS).<DriverSlice>mapToObj(i -> new DriverSlice.Sent(sc.broadcast(begin.cut(layout, i)))).toList());
    }

    private static Peer me() {
        return Exchange.get().address();
    }

    /** As if a worker had trained to these parameters. */
    private StateSource.Contribution reach(int worker, long positions, float[] parameters) {
        Student student = borrow(0);
        student.setParameters(parameters);
        List<ByteBuffer> slices = new ArrayList<>();
        List<ByteBuffer> moments = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            slices.add(student.parameters(slice.firstParameter(), slice.parameters()));
            moments.add(student.updaterState(slice.firstMoment(), slice.moments()));
        }
        executor.students().keep(0, worker, new Reached(student, slices, moments));
        return new StateSource.Contribution(worker, positions, me(), 0);
    }

    /** Lends a student as if the whole state of this version were here. */
    private Student borrow(long version) {
        executor.students().forget(StateSource.ofDriver(run, version, List.of()));
        return executor.students().borrow();
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
        ModelState whole = ModelState.blank(layout);
        Set<Peer> silent = new HashSet<>();
        for (int i = 0; i < layout.slices(); i++) {
            whole.paste(source.fetch(i, layout, null, silent), layout, i);
        }
        return whole;
    }

    private static PeerMessages.Question question(String run, long version, int slice, List<StateSource.Contribution> made) {
        StateSource source = new StateSource(run, version, List.of(), Recipe.of(true, made, Set.of()), List.of());
        return made.isEmpty() ? PeerMessages.Question.ofState(source, slice, StateSource.VALUES) : toldOwner(source, slice);
    }

    private static PeerMessages.Question toldOwner(StateSource source, int slice) {
        return PeerMessages.Question.ofOwner(source, slice, StateSource.VALUES).with(source.recipe());
    }

    private static PeerMessages.Answer ask(PeerMessages.Question question) throws IOException {
        return Exchange.await(Exchange.get().ask(me(), question));
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
        float[] average = fetch(ofDriver().average(true, made)).parameters();
        for (int i = 0; i < sum.length; i++) {
            assertEquals(sum[i], average[i], 1e-6);
        }
        // Once made it is there for all, also where the owner were another.
        assertArrayEquals(average, fetch(ofDriver().average(true, made).heldBy(List.of(me()))).parameters());
    }

    @Test
    void whoDoesNotAnswerIsNamed() throws Exception {
        Peer nobody;
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            nobody = new Peer("127.0.0.1", closed.getLocalPort());
        }
        List<StateSource.Contribution> made = List.of(reach(0, 1, random(0)), new StateSource.Contribution(1, 1, nobody, 0));
        StateSource source = ofDriver().average(true, made);
        assertEquals(Set.of(nobody), assertThrows(PeersLostException.class, () -> fetch(source)).peers());
        assertEquals(Set.of(nobody), assertThrows(PeersLostException.class, () -> executor.begin(source, 0)).peers());
        // One who answers, and has nothing of it.
        StateSource unknown = StateSource.ofDriver("abc", 0, List.of()).average(true, List.of(made.get(0)));
        assertEquals(Set.of(me()), assertThrows(PeersLostException.class, () -> fetch(unknown)).peers());
    }

    /** One that still holds its connections, as a host does that was cut off. */
    @Test
    void theOneWhoIsSilentIsNamedAndNotTheOneWhoWaitsForIt() throws Exception {
        try (TransportServer silent = serve((question, answer) -> { }, new Offers(0))) {
            Peer gone = new Peer("127.0.0.1", silent.getPort());
            StateSource source = ofDriver().average(true, List.of(reach(0, 1, random(0)), new StateSource.Contribution(1, 1, gone, 0)));
            assertEquals(Set.of(gone), assertThrows(PeersLostException.class, () -> source.fetch(0, layout, null, new HashSet<>())).peers());
        }
    }

    @Test
    void whoCannotAverageASliceTakesItFromWhoHasDroppedWhatItIsMadeOf() throws Exception {
        ModelState next = new ModelState(random(5), begin.updaterState(), new float[0]);
        Offers offers = new Offers(10_000);
        try (TransportServer other = serve((question, answer) -> answer.accept(PeerMessages.Answer.of(!question.isOfState() ? ""
                : offers.add(new StudentPool.Reading(ByteBuffer.wrap(next.cut(layout, question.slice())), () -> { })))), offers)) {
            Peer ahead = new Peer("127.0.0.1", other.getPort());
            StateSource source = ofDriver().average(true, List.of(reach(0, 1, random(0)), new StateSource.Contribution(1, 1, ahead, 0)));
            List<byte[]> slices = executor.begin(source, 0);
            for (int i = 0; i < layout.slices(); i++) {
                assertArrayEquals(next.cut(layout, i), slices.get(i));
            }
        }
    }

    @Test
    void anOwnerIsToldOnceWhatItAverages() throws Exception {
        StateSource source = ofDriver().average(true, List.of(reach(0, 1, random(0))));
        PeerMessages.Question question = PeerMessages.Question.ofOwner(source, 0, StateSource.VALUES);
        assertTrue(ask(question).wantsRecipe());
        assertTrue(ask(question.with(source.recipe())).has());
        assertTrue(ask(PeerMessages.Question.ofOwner(source, 1, StateSource.VALUES)).has());
        StateSource other = source.with(source.made());
        assertTrue(ask(PeerMessages.Question.ofOwner(other, 1, StateSource.VALUES)).wantsRecipe());
        // Its own tasks tell it, too.
        executor.begin(other, 0);
        assertTrue(ask(PeerMessages.Question.ofOwner(other, 1, StateSource.VALUES)).has());
    }

    /** Another executor, as far as a test needs one. */
    private static TransportServer serve(BiConsumer<PeerMessages.Question, Consumer<PeerMessages.Answer>> answering, Offers offers) {
        TransportConf conf = conf();
        return new TransportContext(conf, new RpcHandler() {
            @Override
            public void receive(TransportClient client, ByteBuffer message, RpcResponseCallback callback) {
                try {
                    byte[] question = new byte[message.remaining()];
                    message.get(question);
                    answering.accept(PeerMessages.Question.of(ByteBuffer.wrap(question)), answer -> callback.onSuccess(answer.bytes()));
                } catch (IOException e) {
                    callback.onFailure(e);
                }
            }

            @Override
            public StreamManager getStreamManager() {
                return new StreamManager() {
                    @Override
                    public ManagedBuffer getChunk(long stream, int chunk) {
                        throw new UnsupportedOperationException();
                    }

                    @Override
                    public ManagedBuffer openStream(String name) {
                        StudentPool.Reading reading = offers.take(name);
                        return reading == null ? null : new NioManagedBuffer(reading.bytes());
                    }
                };
            }
        }).createServer("127.0.0.1", 0, List.of(new AuthServerBootstrap(conf, SparkEnv.get().securityManager())));
    }

    private static TransportConf conf() {
        return new TransportConf("test", new MapConfigProvider(Map.of("spark.network.crypto.enabled", "true")));
    }

    @Test
    void anotherHolderIsAskedWhereASlicesOwnerIsGone() throws Exception {
        Peer nobody = new Peer("127.0.0.1", 1);
        executor.begin(ofDriver(), 1);
        StateSource source = new StateSource(run, 0, List.of(), Recipe.of(true, List.of(), Set.of()), List.of(nobody, me()));
        assertArrayEquals(begin.parameters(), fetch(source).parameters());
    }

    @Test
    void noStudentTrainsOnWhileItsMemoryIsBeingSent() {
        reach(0, 1, random(0));
        reach(1, 1, random(1));
        StudentPool.Reading one = executor.students().read(0, 0, 0, Reached.PARAMETERS);
        StudentPool.Reading two = executor.students().read(0, 0, 0, Reached.PARAMETERS);
        Student other = borrow(1);
        assertNull(executor.students().read(0, 0, 0, Reached.PARAMETERS));
        one.done().run();
        one.done().run();
        Student third = borrow(1);
        assertNotSame(other, third);
        two.done().run();
        Student first = borrow(1);
        assertNotSame(other, first);
        assertNotSame(third, first);
        executor.students().giveBack(first);
        assertSame(first, borrow(1));
        executor.students().giveBack(first);
        executor.students().giveBack(other);
        executor.students().giveBack(third);
    }

    @Test
    void studentsBeyondTwoForAWorkerAreClosed() {
        reach(0, 1, random(0));
        StudentPool.Reading first = executor.students().read(0, 0, 0, Reached.PARAMETERS);
        Student second = borrow(1);
        executor.students().keep(1, 0, new Reached(second, List.of(ByteBuffer.allocate(1)), List.of()));
        StudentPool.Reading reading = executor.students().read(1, 0, 0, Reached.PARAMETERS);
        executor.students().keep(2, 0, new Reached(borrow(2), List.of(), List.of()));
        reading.done().run();
        first.done().run();
        List<Student> left = List.of(borrow(3), borrow(3), borrow(3));
        left.forEach(student -> assertNotSame(second, student));
        left.forEach(executor.students()::giveBack);
    }

    @Test
    void noMoreThanTwoSlicesAreAveragedAtOnce() throws Exception {
        Queue<Consumer<PeerMessages.Answer>> waiting = new ConcurrentLinkedQueue<>();
        Set<Integer> asked = ConcurrentHashMap.newKeySet();
        try (TransportServer slow = serve((question, answer) -> {
            waiting.add(answer);
            asked.add(question.slice());
        }, new Offers(0))) {
            List<StateSource.Contribution> made = List.of(new StateSource.Contribution(0, 1, new Peer("127.0.0.1", slow.getPort()), 0));
            List<CompletableFuture<PeerMessages.Answer>> averages = IntStream.range(0, WORKERS)
                    .mapToObj(slice -> Exchange.get().ask(me(), toldOwner(ofDriver().average(true, made), slice))).toList();
            Eventually.until(() -> waiting.size() == 2 * 2, () -> "asked for slices " + asked);
            // Time in which a third would ask, were it let.
            Thread.sleep(200);
            assertEquals(2, asked.size());
            Eventually.until(() -> {
                for (Consumer<PeerMessages.Answer> answer = waiting.poll(); answer != null; answer = waiting.poll()) {
                    answer.accept(PeerMessages.Answer.of(""));
                }
                return averages.stream().allMatch(CompletableFuture::isDone);
            }, () -> "no answer, and asked for slices " + asked);
            assertEquals(WORKERS, asked.size());
        }
    }

    @Test
    void whoHasNoMemoryToAverageSaysSo() throws Exception {
        String large = UUID.randomUUID().toString();
        ExecutorState.of(large, setup, new StateLayout(Integer.MAX_VALUE / Float.BYTES, 0, 0, 1)).begin(
                StateSource.ofDriver(large, 0, List.of(new DriverSlice.Sent(sc.broadcast(new byte[1])))), 0);
        PeerMessages.Question question = question(large, 1, 0, List.of(new StateSource.Contribution(0, 1, me(), 0)));
        String message = assertThrows(IOException.class, () -> ask(question)).getMessage();
        assertTrue(message.contains("OutOfMemoryError"), message);
        StateSource source = StateSource.ofDriver(large, 0, List.of()).average(true, question.told().made());
        UserException error = assertThrows(UserException.class, () -> source.fetch(0, layout, null, new HashSet<>()));
        assertTrue(error.problem().startsWith("not enough memory for averaging"), error.getMessage());
        ask(PeerMessages.Question.end(large));
    }

    @Test
    void whatIsNotHereIsNotSentAndNonsenseChangesNothing() throws Exception {
        for (PeerMessages.Question question : List.of(question(run, 0, 999, List.of()),
                question(run, 7, 0, List.of()), question("abc", 0, 0, List.of()),
                PeerMessages.Question.ofWorker(run, 0, 0, 0, 0), PeerMessages.Question.ofWorker(run, 0, 0, 0, 2))) {
            assertFalse(ask(question).has(), question.toString());
            assertThrows(IOException.class, () -> Exchange.await(Exchange.get().fetch(me(), question, new byte[1])));
        }
        PeerMessages.Question good = question(run, 0, 0, List.of());
        byte[] slice = begin.cut(layout, 0);
        assertThrows(IOException.class, () -> Exchange.await(Exchange.get().fetch(me(), good, new byte[slice.length - 1])));
        assertThrows(IOException.class, () -> Exchange.await(Exchange.get().fetch(me(), good, new byte[slice.length + 1])));
        Random random = new Random(1);
        try (TransportClient member = connect(true)) {
            for (int i = 0; i < 1000; i++) {
                byte[] question = new byte[random.nextInt(80)];
                random.nextBytes(question);
                try {
                    assertFalse(PeerMessages.Answer.of(member.sendRpcSync(ByteBuffer.wrap(question), 10_000)).has());
                } catch (RuntimeException e) {
                    assertTrue(e.getMessage() != null);
                }
            }
        }
        assertArrayEquals(slice, Exchange.await(Exchange.get().fetch(me(), good, new byte[slice.length])));
    }

    @Test
    void aStrangerIsToldNothingAndSentNothingThatItWasNotTold() throws Exception {
        PeerMessages.Question question = question(run, 0, 0, List.of());
        byte[] slice = new byte[layout.slice(0).bytes()];
        try (TransportClient stranger = connect(false)) {
            assertThrows(RuntimeException.class, () -> stranger.sendRpcSync(question.bytes(), 10_000));
        }
        try (TransportClient stranger = connect(false)) {
            for (String name : List.of("", run, run + "/0", run + "/0/0", run + "/0/0/0/0", "0", "../../etc/passwd")) {
                assertThrows(IOException.class, () -> Exchange.await(stream(stranger, name, slice)), name);
            }
            String name = ask(question).stream();
            assertArrayEquals(begin.cut(layout, 0), Exchange.await(stream(stranger, name, slice)), "its name alone keeps it");
            assertThrows(IOException.class, () -> Exchange.await(stream(stranger, name, slice)), "it is good for once");
        }
    }

    /** @param member whether it knows Spark's secret */
    private static TransportClient connect(boolean member) throws Exception {
        TransportConf conf = conf();
        SparkEnv spark = SparkEnv.get();
        List<TransportClientBootstrap> bootstraps = member
                ? List.of(new AuthClientBootstrap(conf, spark.conf().getAppId(), spark.securityManager())) : List.of();
        return new TransportContext(conf, new NoOpRpcHandler()).createClientFactory(bootstraps).createClient(me().host(), me().port());
    }

    private static CompletableFuture<byte[]> stream(TransportClient client, String name, byte[] into) {
        CompletableFuture<byte[]> received = new CompletableFuture<>();
        client.stream(name, new Receiving(into, received, () -> { }));
        return received;
    }

    @Test
    void aRunThatEndedIsForgottenAndATaskThatComesLateDoesNotBeginItAnew() throws Exception {
        Student late = borrow(0);
        end();
        assertFalse(ask(question(run, 0, 0, List.of())).has());
        assertThrows(IllegalStateException.class, () -> ExecutorState.of(run, setup, layout));
        executor.students().keep(0, 0, new Reached(late, List.of(ByteBuffer.allocate(1)), List.of()));
        assertNull(executor.students().read(0, 0, 0, Reached.PARAMETERS));
    }

    @Test
    void aLateResultIsKeptUntilItIsAveraged() throws Exception {
        StudentPool students = executor.students();
        for (int worker = 0; worker < 2; worker++) {
            students.keep(0, worker, new Reached(null, List.of(ByteBuffer.allocate(1)), List.of()), new OwnState(students.borrow(), List.of()));
        }
        // Rounds close without worker 1; worker 0 goes on, twice.
        for (int version = 1; version <= 2; version++) {
            students.forget(madeOf(version, new StateSource.Contribution(0, 1, me(), version - 1)));
            assertNull(students.read(version - 1, 0, 0, Reached.PARAMETERS));
            students.keep(version, 0, new Reached(null, List.of(ByteBuffer.allocate(1)), List.of()), students.resume(version - 1, 0));
        }
        assertNotNull(students.read(0, 1, 0, Reached.PARAMETERS));
        students.forget(madeOf(3, new StateSource.Contribution(1, 1, me(), 0)));
        assertNull(students.read(0, 1, 0, Reached.PARAMETERS));
        OwnState own = students.resume(0, 1);
        assertNotNull(own);
        // A task that was given up ends after the one that replaces it.
        students.keep(3, 1, new Reached(null, List.of(ByteBuffer.allocate(3)), List.of()), own);
        students.keep(1, 1, new Reached(null, List.of(ByteBuffer.allocate(1)), List.of()));
        assertEquals(3, students.read(3, 1, 0, Reached.PARAMETERS).bytes().remaining());
        // What it left here is of no use once it has gone on elsewhere.
        students.forget(madeOf(5, new StateSource.Contribution(1, 1, new Peer("elsewhere", 1), 4)));
        assertNull(students.read(3, 1, 0, Reached.PARAMETERS));
        assertNull(students.resume(3, 1));
        assertNotNull(students.read(2, 0, 0, Reached.PARAMETERS));
        students.forget(StateSource.ofDriver(run, 9, List.of()));
        assertNull(students.read(2, 0, 0, Reached.PARAMETERS));
    }

    private StateSource madeOf(long version, StateSource.Contribution made) {
        return new StateSource(run, version, List.of(), Recipe.of(false, List.of(made), Set.of()), List.of(me()));
    }

    @Test
    void statesThatLateWorkersMayBeginAtAreKept() throws Exception {
        StateSource source = ofDriver();
        for (int version = 1; version <= 4; version++) {
            source = source.average(true, List.of(reach(0, 1, random(version)))).keeping(version < 4 ? Set.of(0L, 1L) : Set.of(1L));
            executor.begin(source, 0);
            assertEquals(version < 4, ask(question(run, 0, 0, List.of())).has());
            assertTrue(ask(question(run, 1, 0, List.of())).has());
        }
        assertFalse(ask(question(run, 2, 0, List.of())).has());
        assertTrue(ask(question(run, 3, 0, List.of())).has());
    }

    /** What a worker left on another executor is fetched from there; where that is gone, so is the worker's own. */
    @Test
    void aWorkerThatMovedTakesItsMomentsAlong() throws Exception {
        TrainingOptions adam = new TrainingOptions(Objective.of(0.5), 1e-3, 0, 1000, 1e-3, 0.1, 0.9, 0.95, 1e-8, 1, TrainingOptions.Optimizer.ADAMW, false,
                MatrixPrecision.FP32);
        WorkerSetup parameters = new WorkerSetup(CONFIG, adam, TrainingEngine.DL4J, setup.labels(), "cache", 1, Averaging.PARAMETERS, 0, Payload.INT8, new OuterOptimizer(0, 1), METER, 20);
        int count = begin.parameters().length;
        StateLayout withMoments = StateLayout.of(count, 2 * count, 0, 2);
        String moving = UUID.randomUUID().toString();
        ExecutorState here = ExecutorState.of(moving, parameters, withMoments);
        Offers offers = new Offers(60_000);
        try (TransportServer server = serve((question, answer) -> {
            StateLayout.Slice slice = withMoments.slice(question.slice());
            boolean isMoments = question.part() == OwnState.MOMENTS;
            ByteBuffer floats = StateLayout.littleEndian(new byte[Float.BYTES * (isMoments ? slice.moments() : slice.parameters())]);
            for (int i = 0; floats.hasRemaining(); i++) {
                floats.putFloat(isMoments ? slice.firstMoment() + i : -slice.firstParameter() - i);
            }
            answer.accept(PeerMessages.Answer.of(question.worker() == 1 && question.version() == 4
                    ? offers.add(new StudentPool.Reading(floats.flip(), () -> { })) : ""));
        }, offers)) {
            Peer there = new Peer("127.0.0.1", server.getPort());
            List<StateSource.Contribution> last = List.of(new StateSource.Contribution(1, 1, there, 4));
            OwnState own = here.resume(last, 1);
            float[] moments = own.student().updaterState();
            for (int i = 0; i < moments.length; i++) {
                assertEquals(i, moments[i]);
            }
            for (int i = 0; i < withMoments.slices(); i++) {
                assertEquals(-withMoments.slice(i).firstParameter() - 1, own.owed().get(i).owed()[1]);
            }
            assertEquals(Set.of(there), assertThrows(PeersLostException.class,
                    () -> here.resume(List.of(new StateSource.Contribution(1, 1, there, 5)), 1)).peers());
            assertEquals(Set.of(me()), assertThrows(PeersLostException.class, () -> here.resume(last, 0)).peers());
        }
        Exchange.await(Exchange.get().ask(me(), PeerMessages.Question.end(moving)));
    }
}
