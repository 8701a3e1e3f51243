// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;

class LocalStoreTest extends StoreContract {
    @TempDir
    private static Path disk;

    @Override
    String root() {
        return disk.toUri().toString();
    }

    @Override
    Map<String, String> hadoop() {
        return Map.of();
    }
}
