// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SecurityManager;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.client.TransportClientFactory;
import org.apache.spark.network.crypto.AuthClientBootstrap;
import org.apache.spark.network.crypto.AuthServerBootstrap;
import org.apache.spark.network.server.RpcHandler;
import org.apache.spark.network.server.StreamManager;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;
import org.apache.spark.storage.BlockManagerId;
import org.apache.spark.util.Utils;
import org.potstill.spark.DaemonThreads;
import org.potstill.spark.ExecutorCounters;
import scala.Tuple2;

/**
 * Transfer of arrays between the executors of a training run, from memory to memory. Uses the transport below Spark's shuffle, with
 * Spark's time-outs ({@code spark.network.timeout}; shorter for connecting), and its authentication and encryption if {@code
 * spark.authenticate} and {@code spark.network.crypto.enabled} are set. Spark authenticates only RPCs and serves streams to any client,
 * so each answer contains an unguessable stream name ({@link Offers}). There is one exchange per process; it listens on its block
 * manager's host, on port {@value #PORT} or the first free one after it.
 */
public final class Exchange {
    private static final String PORT = "spark.potstill.exchange.port";
    private static final String MODULE = "potstill";
    /** Lifetime of an offer; its answer may queue behind all earlier data on the connection. */
    private static final int OFFER_MILLIS = 300_000;
    private static final String CONNECTING = "15s";
    /** Time for which attempts fail together with one that failed; after it, another executor may listen on the port. */
    private static final String FAILING = "1s";
    private static Exchange current;

    private final SparkEnv spark;
    private final TransportContext transport;
    private final TransportClientFactory clients;
    private final ExecutorService answering = Executors.newCachedThreadPool(DaemonThreads.named("potstill-exchange"));
    private final Offers offers = new Offers(OFFER_MILLIS);
    private final Map<Peer, Long> heard = new ConcurrentHashMap<>();
    /** Bytes received as an executor of a run since they were last asked for, by run. */
    private final Map<String, Long> received = new ConcurrentHashMap<>();
    private final long patience;
    private TransportServer server;

    private Exchange(SparkEnv spark) {
        this.spark = spark;
        Map<String, String> conf = new HashMap<>();
        Arrays.stream(spark.conf().getAll()).forEach(entry -> conf.put(entry._1(), entry._2()));
        conf.putIfAbsent("spark." + MODULE + ".io.connectionCreationTimeout", CONNECTING);
        conf.putIfAbsent("spark." + MODULE + ".io.retryWait", FAILING);
        this.transport = new TransportContext(new TransportConf(MODULE, new MapConfigProvider(conf)), new Answering());
        this.patience = TimeUnit.MILLISECONDS.toNanos(transport.getConf().connectionTimeoutMs()) / 2;
        SecurityManager security = spark.securityManager();
        this.clients = transport.createClientFactory(security.isAuthenticationEnabled()
                ? List.of(new AuthClientBootstrap(transport.getConf(), spark.conf().getAppId(), security)) : List.of());
    }

    /** Returns the exchange of the Spark application that this process currently belongs to. */
    public static synchronized Exchange get() {
        SparkEnv spark = SparkEnv.get();
        if (current == null || current.spark != spark) {
            if (current != null) {
                current.close();
            }
            current = new Exchange(spark);
        }
        return current;
    }

    private synchronized void close() {
        clients.close();
        if (server != null) {
            server.close();
        }
        transport.close();
        answering.shutdownNow();
    }

    /** Returns this process as an executor that tasks may prefer, as Spark's scheduler names it. */
    public static String place() {
        BlockManagerId id = SparkEnv.get().blockManager().blockManagerId();
        return "executor_" + id.host() + "_" + id.executorId();
    }

    /** Returns the address at which others reach this process, and starts listening if necessary. */
    public synchronized Peer address() {
        String host = spark.blockManager().blockManagerId().host();
        if (server == null) {
            SparkConf conf = spark.conf();
            boolean driver = spark.blockManager().blockManagerId().isDriver();
            String bind = conf.get(driver ? "spark.driver.bindAddress" : "spark.yarn.executor.bindAddress", host);
            server = Utils.startServiceOnPort(conf.getInt(PORT, 0), port -> listen(bind, (Integer) port), conf, PORT)._1();
        }
        return new Peer(host, server.getPort());
    }

    private Tuple2<TransportServer, Object> listen(String host, int port) {
        SecurityManager security = spark.securityManager();
        TransportServer listening = transport.createServer(host, port, security.isAuthenticationEnabled()
                ? List.of(new AuthServerBootstrap(transport.getConf(), security)) : List.of());
        return new Tuple2<>(listening, listening.getPort());
    }

    /**
     * Fetches bytes from a peer.
     *
     * @param into array to fill; it is an error if the peer sends another number of bytes
     * @return a future that completes exceptionally if the peer has died or does not have the bytes
     */
    CompletableFuture<byte[]> fetch(Peer peer, PeerMessages.Question question, byte[] into) {
        // Not on the thread that receives the answer: it serves other transfers.
        return ask(peer, question).thenComposeAsync(answer -> receive(peer, answer, into), answering).thenApply(bytes -> {
            count(question.run(), bytes.length);
            return bytes;
        });
    }

    /** Counts bytes that this process received as an executor of a run. */
    void count(String run, long bytes) {
        received.merge(run, bytes, Long::sum);
    }

    /** Returns the number of bytes that this process has received as an executor of a run since the last call. */
    public long takeReceived(String run) {
        Long bytes = received.remove(run);
        return bytes == null ? 0 : bytes;
    }

    /** Fetches the bytes that a peer's answer offers, otherwise like {@link #fetch}. */
    CompletableFuture<byte[]> receive(Peer peer, PeerMessages.Answer answer, byte[] into) {
        CompletableFuture<byte[]> received = new CompletableFuture<>();
        try {
            client(peer).stream(answer.stream(), new Receiving(into, received, () -> heard.put(peer, System.nanoTime())));
        } catch (IOException e) {
            received.completeExceptionally(e);
        }
        return received.thenApply(bytes -> {
            ExecutorCounters.received(bytes.length);
            return bytes;
        });
    }

    /** Asks a peer a question that may take it some time to answer. */
    public CompletableFuture<PeerMessages.Answer> ask(Peer peer, PeerMessages.Question question) {
        CompletableFuture<PeerMessages.Answer> answer = new CompletableFuture<>();
        RpcResponseCallback callback = new RpcResponseCallback() {
            @Override
            public void onSuccess(ByteBuffer response) {
                heard.put(peer, System.nanoTime());
                try {
                    answer.complete(PeerMessages.Answer.of(copy(response)));
                } catch (IOException e) {
                    onFailure(e);
                }
            }

            @Override
            public void onFailure(Throwable e) {
                answer.completeExceptionally(e);
            }
        };
        heard.put(peer, System.nanoTime());
        // In parallel, so that time-outs of several dead peers overlap.
        answering.execute(() -> {
            try {
                client(peer).sendRpc(question.bytes(), callback);
            } catch (IOException | RuntimeException e) {
                answer.completeExceptionally(e);
            }
        });
        return answer;
    }

    /** Copies a message, whose buffer is valid only during the callback. */
    private static ByteBuffer copy(ByteBuffer message) {
        return ByteBuffer.allocate(message.remaining()).put(message).flip();
    }

    private TransportClient client(Peer peer) throws IOException {
        try {
            return clients.createClient(peer.host(), peer.port(), true);
        } catch (InterruptedException e) {
            throw interrupted(e);
        } catch (RuntimeException e) {
            // Authentication failures arrive as RuntimeExceptions.
            throw new IOException("no connection to " + peer, e);
        }
    }

    /**
     * Waits for a future.
     *
     * @throws IOException if it completes exceptionally
     */
    static <T> T await(CompletableFuture<T> future) throws IOException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /**
     * Waits for a transfer that costs the peer no computation.
     *
     * @throws IOException if it fails or the peer is silent for half of the connection time-out, before those who wait for this
     *                     process give up
     */
    <T> T await(CompletableFuture<T> future, Peer peer) throws IOException {
        while (true) {
            long left = heard.get(peer) + patience - System.nanoTime();
            try {
                return future.get(left, TimeUnit.NANOSECONDS);
            } catch (ExecutionException e) {
                throw new IOException(e.getCause());
            } catch (InterruptedException e) {
                throw interrupted(e);
            } catch (TimeoutException e) {
                if (left <= 0) {
                    // Fails all other pending transfers from this peer at once.
                    client(peer).close();
                    throw new IOException(peer + " is silent", e);
                }
            }
        }
    }

    private static IllegalStateException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new IllegalStateException("interrupted", e);
    }

    /** Handler that passes other processes' questions to {@link ExecutorState}. */
    private final class Answering extends RpcHandler {
        private final StreamManager arrays = new StreamManager() {
            @Override
            public ManagedBuffer getChunk(long stream, int chunk) {
                throw new UnsupportedOperationException("bytes are streamed");
            }

            @Override
            public ManagedBuffer openStream(String name) {
                StudentPool.Reading reading = offers.take(name);
                return reading == null ? null : new NioManagedBuffer(reading.bytes()) {
                    @Override
                    public ManagedBuffer release() {
                        reading.done().run();
                        ExecutorCounters.sent(size());
                        return super.release();
                    }
                };
            }
        };

        @Override
        public void receive(TransportClient client, ByteBuffer message, RpcResponseCallback callback) {
            ByteBuffer question = copy(message);
            // Not on this thread, which serves other transfers.
            answering.execute(() -> {
                try {
                    callback.onSuccess(ExecutorState.answer(PeerMessages.Question.of(question), offers).bytes());
                } catch (Throwable e) {
                    // Even for an OutOfMemoryError: otherwise the peer would wait for its time-out.
                    callback.onFailure(e);
                }
            });
        }

        @Override
        public StreamManager getStreamManager() {
            return arrays;
        }
    }
}
