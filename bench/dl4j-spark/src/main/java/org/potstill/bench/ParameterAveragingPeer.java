package org.potstill.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.spark.api.RDDTrainingApproach;
import org.deeplearning4j.spark.impl.multilayer.SparkDl4jMultiLayer;
import org.deeplearning4j.spark.impl.paramavg.ParameterAveragingTrainingMaster;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/**
 * Seconds of a round of dl4j-spark's parameter averaging on local-cluster[2,1,…], beyond the local steps: two workers take one
 * step each on one example, and what such a step takes alone is subtracted. A dense network of 10 million parameters with
 * Adam, whose moments are averaged, too. Argument: the number of rounds.
 */
public final class ParameterAveragingPeer {
    private static final int WORKERS = 2;
    private static final int WIDTH = 2236;

    private ParameterAveragingPeer() {
    }

    public static void main(String[] arguments) {
        int rounds = Integer.parseInt(arguments[0]);
        MultiLayerConfiguration network = new NeuralNetConfiguration.Builder().seed(1).updater(new Adam(1e-3)).list()
                .layer(new DenseLayer.Builder().nIn(WIDTH).nOut(WIDTH).activation(Activation.TANH).build())
                .layer(new DenseLayer.Builder().nIn(WIDTH).nOut(WIDTH).activation(Activation.TANH).build())
                .layer(new OutputLayer.Builder(LossFunctions.LossFunction.MSE).nIn(WIDTH).nOut(1).activation(Activation.IDENTITY).build())
                .build();
        double step = step(network);
        SparkConf conf = new SparkConf().setMaster("local-cluster[" + WORKERS + ",1,2048]").setAppName("dl4j-spark")
                .set("spark.ui.enabled", "false").set("spark.executor.memory", "2g")
                .set("spark.executor.extraClassPath", System.getProperty("java.class.path"));
        try (JavaSparkContext sc = new JavaSparkContext(conf)) {
            List<DataSet> examples = new ArrayList<>();
            for (int i = 0; i < WORKERS; i++) {
                examples.add(example());
            }
            JavaRDD<DataSet> data = sc.parallelize(examples, WORKERS);
            ParameterAveragingTrainingMaster master = new ParameterAveragingTrainingMaster.Builder(WORKERS, 1).batchSizePerWorker(1)
                    .averagingFrequency(1).rddTrainingApproach(RDDTrainingApproach.Direct).saveUpdater(true).workerPrefetchNumBatches(0).build();
            SparkDl4jMultiLayer spark = new SparkDl4jMultiLayer(sc, network, master);
            for (int i = 0; i < rounds; i++) {
                long start = System.nanoTime();
                // As many examples as one round takes.
                spark.fit(data);
                System.out.printf(Locale.ROOT, "%.4f%n", (System.nanoTime() - start) / 1e9 - step);
            }
            System.out.printf(Locale.ROOT, "parameters %d step %.4f%n", spark.getNetwork().numParams(), step);
        }
    }

    private static DataSet example() {
        return new DataSet(Nd4j.rand(1, WIDTH), Nd4j.rand(1, 1));
    }

    /** Median seconds of one, the tenth to the last: warm. */
    private static double step(MultiLayerConfiguration configuration) {
        MultiLayerNetwork network = new MultiLayerNetwork(configuration);
        network.init();
        double[] seconds = new double[20];
        for (int i = 0; i < seconds.length; i++) {
            DataSet example = example();
            long start = System.nanoTime();
            network.fit(example);
            seconds[i] = (System.nanoTime() - start) / 1e9;
        }
        double[] warm = Arrays.copyOfRange(seconds, 10, seconds.length);
        Arrays.sort(warm);
        return warm[warm.length / 2];
    }
}
