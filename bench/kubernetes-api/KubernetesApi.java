// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.mockwebserver.Context;
import io.fabric8.mockwebserver.MockWebServer;
import io.fabric8.mockwebserver.dsl.HttpMethod;
import io.fabric8.mockwebserver.http.Buffer;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import java.net.InetAddress;
import java.util.HashMap;

/** Kubernetes' API on loopback, which keeps what it is given and tells those who watch. Prints its port. */
final class KubernetesApi {
    private KubernetesApi() {
    }

    public static void main(String[] args) throws InterruptedException {
        KubernetesMockServer server = new KubernetesMockServer(new Context(), new MockWebServer(), new HashMap<>(), new SparksNeeds(), false);
        server.init(InetAddress.getLoopbackAddress(), 0);
        System.out.println(server.getPort());
        Thread.currentThread().join();
    }

    /** Adds what Spark relies on: server-side apply, of whole objects, and that a pod has a status from the first. */
    private static final class SparksNeeds extends KubernetesCrudDispatcher {
        private static final ObjectMapper JSON = new ObjectMapper();

        @Override
        public boolean isStatusSubresourceEnabledForResource(String path) {
            return !path.endsWith("/pods") && super.isStatusSubresourceEnabledForResource(path);
        }

        @Override
        public MockResponse handleCreate(RecordedRequest request) {
            try {
                ObjectNode created = (ObjectNode) JSON.readTree(request.getUtf8Body());
                if (created.path("kind").asText().equals("Pod")) {
                    created.putObject("status").put("phase", "Pending");
                }
                return super.handleCreate(new RecordedRequest(request.getHttpVersion(), HttpMethod.POST, request.getPath(), request.getHeaders(),
                        new Buffer(JSON.writeValueAsBytes(created))));
            } catch (JsonProcessingException e) {
                return new MockResponse().setResponseCode(400);
            }
        }

        @Override
        public MockResponse handlePatch(RecordedRequest request) {
            if (!String.valueOf(request.getHeader("Content-Type")).startsWith("application/apply-patch")) {
                return super.handlePatch(request);
            }
            String path = request.getPath().replaceFirst("\\?.*", "");
            if (handleGet(path).code() != 404) {
                return handleUpdate(with(request, HttpMethod.PUT, path));
            }
            return handleCreate(with(request, HttpMethod.POST, path.substring(0, path.lastIndexOf('/'))));
        }

        private static RecordedRequest with(RecordedRequest request, HttpMethod method, String path) {
            return new RecordedRequest(request.getHttpVersion(), method, path, request.getHeaders(), request.getBody());
        }
    }
}
