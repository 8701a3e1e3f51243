package org.potstill.spark.train;

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
import org.apache.spark.util.Utils;
import org.potstill.spark.DaemonThreads;
import scala.Tuple2;

/**
 * How executors of a training run send each other arrays, from one's memory into the other's: the transport that Spark's shuffle is
 * built on, with Spark's time-outs ({@code spark.network.timeout}; shorter for connecting), authenticated and encrypted where {@code
 * spark.authenticate} and {@code spark.network.crypto.enabled} say so. As Spark authenticates questions alone, and serves streams to
 * anybody, the answer to a question names the stream ({@link Offers}). One to a process; an executor's listens where its block manager
 * does, on a port of its own: {@value #PORT}, or the first free one after that.
 */
final class Exchange {
    private static final String PORT = "spark.potstill.exchange.port";
    private static final String MODULE = "potstill";
    /** An answer may lie behind all that is sent on its connection before. */
    private static final int OFFER_MILLIS = 300_000;
    private static final String CONNECTING = "15s";
    /** Those who waited for the same connection fail with it; after that another executor may have taken the port. */
    private static final String FAILING = "1s";
    private static Exchange current;

    private final SparkEnv spark;
    private final TransportContext transport;
    private final TransportClientFactory clients;
    private final ExecutorService answering = Executors.newCachedThreadPool(DaemonThreads.named("potstill-exchange"));
    private final Offers offers = new Offers(OFFER_MILLIS);
    private final Map<Peer, Long> heard = new ConcurrentHashMap<>();
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

    /** Of the Spark application that this process belongs to now. */
    static synchronized Exchange get() {
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

    /** Where others reach this process; from now on it listens. */
    synchronized Peer address() {
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
     * Asks a peer for bytes, and has it send them.
     *
     * @param into where to put them; another length is an error
     * @return completes exceptionally where the peer has died or has no such bytes
     */
    CompletableFuture<byte[]> fetch(Peer peer, PeerMessages.Question question, byte[] into) {
        // Not on the thread that the answer comes on: other transfers wait for it.
        return ask(peer, question).thenComposeAsync(answer -> receive(peer, answer, into), answering);
    }

    /** Has a peer send what it answered that it has; else as {@link #fetch}. */
    CompletableFuture<byte[]> receive(Peer peer, PeerMessages.Answer answer, byte[] into) {
        CompletableFuture<byte[]> received = new CompletableFuture<>();
        try {
            client(peer).stream(answer.stream(), new Receiving(into, received, () -> heard.put(peer, System.nanoTime())));
        } catch (IOException e) {
            received.completeExceptionally(e);
        }
        return received;
    }

    /** Asks a peer, whose answer may take it some work. */
    CompletableFuture<PeerMessages.Answer> ask(Peer peer, PeerMessages.Question question) {
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
        // Several peers that are gone are waited for at once.
        answering.execute(() -> {
            try {
                client(peer).sendRpc(question.bytes(), callback);
            } catch (IOException | RuntimeException e) {
                answer.completeExceptionally(e);
            }
        });
        return answer;
    }

    /** Of a message, which is lent for the time of a call. */
    private static ByteBuffer copy(ByteBuffer message) {
        return ByteBuffer.allocate(message.remaining()).put(message).flip();
    }

    private TransportClient client(Peer peer) throws IOException {
        try {
            return clients.createClient(peer.host(), peer.port(), true);
        } catch (InterruptedException e) {
            throw interrupted(e);
        } catch (RuntimeException e) {
            // So it wraps what authentication has against it.
            throw new IOException("no connection to " + peer, e);
        }
    }

    /** @throws IOException for whatever went wrong */
    static <T> T await(CompletableFuture<T> future) throws IOException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** The same of what costs the peer no work: it is given up when silent for half of the time that others wait for this process to serve them. */
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
                    // All else that is awaited of it fails at once.
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

    /** What others ask of this process is {@link ExecutorState}'s to answer. */
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
                        return super.release();
                    }
                };
            }
        };

        @Override
        public void receive(TransportClient client, ByteBuffer message, RpcResponseCallback callback) {
            ByteBuffer question = copy(message);
            // Not here: this thread is the one that other transfers wait for.
            answering.execute(() -> {
                try {
                    callback.onSuccess(ExecutorState.answer(PeerMessages.Question.of(question), offers).bytes());
                } catch (Throwable e) {
                    // Also of an OutOfMemoryError: else who asked waits for its time-out.
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
