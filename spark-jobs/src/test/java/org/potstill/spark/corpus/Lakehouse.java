// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import io.delta.sql.DeltaSparkSessionExtension;
import java.nio.file.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Distillery;

/** A session beside that of the other tests, on the same context, which knows Delta's, Iceberg's and Hive's tables in a folder. */
public final class Lakehouse implements AutoCloseable {
    /** Whether Iceberg has a release for this Spark; what it has for 4.1 cannot be loaded by 4.2. */
    public static final boolean ICEBERG = org.apache.spark.package$.MODULE$.SPARK_VERSION().matches("(3|4\\.[01])\\..*");

    private final SparkSession before = Distillery.spark();
    private final SparkSession spark;

    public Lakehouse(Path folder) {
        System.setProperty("derby.stream.error.file", folder.resolve("derby.log").toString());
        SparkSession.clearActiveSession();
        SparkSession.clearDefaultSession();
        spark = SparkSession.builder().withExtensions(new DeltaSparkSessionExtension())
                .config("spark.sql.catalogImplementation", "hive")
                .config("javax.jdo.option.ConnectionURL", "jdbc:derby:memory:" + folder.getFileName() + ";create=true")
                .config("datanucleus.schema.autoCreateAll", "true")
                .config("hive.metastore.schema.verification", "false")
                .config("spark.sql.warehouse.dir", folder.resolve("warehouse").toString())
                .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
                .config("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog")
                .config("spark.sql.catalog.lake.type", "hadoop")
                .config("spark.sql.catalog.lake.warehouse", folder.resolve("lake").toString())
                .config("spark.sql.shuffle.partitions", "2")
                .config("spark.databricks.delta.snapshotPartitions", "1")
                .getOrCreate();
    }

    public SparkSession spark() {
        return spark;
    }

    public Dataset<Row> sql(String statement) {
        return spark.sql(statement);
    }

    @Override
    public void close() {
        SparkSession.setDefaultSession(before);
        SparkSession.setActiveSession(before);
    }
}
