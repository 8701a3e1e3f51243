// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

class S3aStoreTest extends StoreContract {
    @TempDir
    private static Path disk;
    private static S3Server server;

    @BeforeAll
    static void start() throws Exception {
        server = new S3Server(disk);
    }

    @AfterAll
    static void stop() throws InterruptedException {
        server.close();
    }

    @Override
    String root() {
        return server.root();
    }

    @Override
    Map<String, String> hadoop() {
        return server.hadoop();
    }
}
