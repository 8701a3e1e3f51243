package org.potstill.spark.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.spark.SecurityManager;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.StreamCallback;
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
 * built on, with Spark's time-outs ({@code spark.network.timeout}), and between executors authenticated and encrypted where {@code
 * spark.authenticate} and {@code spark.network.crypto.enabled} say so. But a stream is served without authentication, too, to whoever
 * names the run. One to a process; an executor's listens where its block manager does, on a port of its own: {@value #PORT}, or the first
 * free one after that.
 */
final class Exchange {
    private static final String PORT = "spark.potstill.exchange.port";
    private static final String MODULE = "potstill";
    private static Exchange current;

    private final SparkEnv spark;
    private final TransportContext transport;
    private final TransportClientFactory clients;
    private final ExecutorService answering = Executors.newCachedThreadPool(DaemonThreads.named("potstill-exchange"));
    private TransportServer server;

    private Exchange(SparkEnv spark) {
        this.spark = spark;
        Map<String, String> conf = new HashMap<>();
        Arrays.stream(spark.conf().getAll()).forEach(entry -> conf.put(entry._1(), entry._2()));
        this.transport = new TransportContext(new TransportConf(MODULE, new MapConfigProvider(conf)), new Answering());
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
     * Has a peer send bytes.
     *
     * @param what names them, as {@link ExecutorState} does
     * @param into where to put them; another length is an error
     * @return completes exceptionally where the peer has died or has no such bytes
     */
    CompletableFuture<byte[]> fetch(Peer peer, String what, byte[] into) {
        CompletableFuture<byte[]> fetched = new CompletableFuture<>();
        try {
            client(peer).stream(what, new Receiving(into, fetched));
        } catch (IOException e) {
            fetched.completeExceptionally(e);
        }
        return fetched;
    }

    /** Asks a peer, and waits for its answer, which may take it some work. */
    ByteBuffer ask(Peer peer, ByteBuffer question) throws IOException {
        CompletableFuture<ByteBuffer> answer = new CompletableFuture<>();
        client(peer).sendRpc(question, new RpcResponseCallback() {
            @Override
            public void onSuccess(ByteBuffer response) {
                answer.complete(copy(response));
            }

            @Override
            public void onFailure(Throwable e) {
                answer.completeExceptionally(e);
            }
        });
        return await(answer);
    }

    /** Of a message, which is lent for the time of a call. */
    private static ByteBuffer copy(ByteBuffer message) {
        return ByteBuffer.allocate(message.remaining()).put(message).flip();
    }

    private TransportClient client(Peer peer) throws IOException {
        try {
            return clients.createClient(peer.host(), peer.port());
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

    private static IllegalStateException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new IllegalStateException("interrupted", e);
    }

    /** Puts what comes together. */
    private static final class Receiving implements StreamCallback {
        private final byte[] received;
        private final CompletableFuture<byte[]> whole;
        private int at;

        Receiving(byte[] into, CompletableFuture<byte[]> whole) {
            this.received = into;
            this.whole = whole;
        }

        @Override
        public void onData(String what, ByteBuffer data) throws IOException {
            int length = data.remaining();
            if (length > received.length - at) {
                throw new IOException("more than " + received.length + " bytes of " + what);
            }
            data.get(received, at, length);
            at += length;
        }

        @Override
        public void onComplete(String what) {
            if (at == received.length) {
                whole.complete(received);
            } else {
                whole.completeExceptionally(new IOException(at + " bytes of " + what + ", of " + received.length));
            }
        }

        @Override
        public void onFailure(String what, Throwable cause) {
            whole.completeExceptionally(cause);
        }
    }

    /** What others ask of this process is {@link ExecutorState}'s to answer. */
    private final class Answering extends RpcHandler {
        private final StreamManager arrays = new StreamManager() {
            @Override
            public ManagedBuffer getChunk(long stream, int chunk) {
                throw new UnsupportedOperationException("bytes are streamed");
            }

            @Override
            public ManagedBuffer openStream(String what) {
                StudentPool.Reading reading = ExecutorState.read(what);
                return new NioManagedBuffer(reading.bytes()) {
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
                    callback.onSuccess(ExecutorState.answer(question));
                } catch (Exception e) {
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
