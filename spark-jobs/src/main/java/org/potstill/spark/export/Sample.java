// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.teacher.onnx.CalibrationText;

/**
 * Text on which models are compared.
 *
 * @param text      description of the text
 * @param sequences token ids: at least one sequence, at least two ids each
 */
record Sample(String text, List<int[]> sequences) {
    /** Maximum bytes read from a file. */
    private static final int MAX_TEXT_BYTES = 1 << 22;

    private record Ranked(boolean training, int index, String document, int[] tokens) implements Serializable, Comparable<Ranked> {
        @Override
        public int compareTo(Ranked other) {
            int byUse = Boolean.compare(training, other.training);
            int byIndex = byUse != 0 ? byUse : Integer.compare(index, other.index);
            return byIndex != 0 ? byIndex : document.compareTo(other.document);
        }
    }

    /**
     * Draws from the corpus's held-out documents, one sequence of each in turn, or from its other documents if none is held out.
     *
     * @param trainedOn the corpus section of the student's provenance, which tells the documents held out of its training
     * @param rows      rows of the models' embedding tables
     */
    static Sample ofCorpus(SparkSession spark, Settings settings, JsonNode trainedOn, TokenizerDefinition tokenizer, int rows) {
        Tokenization now = Tokenization.of(settings);
        Tokenization then = now.holdingOut(trainedOn.path("corpus.holdout").asDouble(now.holdout()), trainedOn.path("seed").asLong(now.seed()));
        Corpus corpus = new Corpus(spark, settings);
        JavaRDD<Ranked> ranked = then.apply(corpus.documents(), tokenizer, rows).flatMap(document -> ranked(document).iterator());
        List<Ranked> first = ranked.takeOrdered(Math.max(1, maxTokens(settings) / then.sequenceLength()));
        corpus.warnOfProblems();
        if (first.isEmpty()) {
            throw CorpusErrors.emptyCorpus(corpus.name());
        }
        boolean training = first.get(0).training;
        return new Sample((training ? "documents that it was trained on, of " : "held-out documents of ") + corpus.shortName(),
                first.stream().filter(sequence -> sequence.training == training).map(Ranked::tokens).toList());
    }

    private static List<Ranked> ranked(TokenizedDocument document) {
        List<int[]> sequences = document.sequences();
        return IntStream.range(0, sequences.size())
                .mapToObj(i -> new Ranked(!document.heldOut(), i, document.id(), sequences.get(i))).toList();
    }

    /** Reads a text file from any Hadoop path. */
    static Sample ofFile(String path, Settings settings, Configuration hadoop, TokenizerDefinition tokenizer) {
        Path file = new Path(path);
        try (InputStream in = file.getFileSystem(hadoop).open(file)) {
            String text = new String(in.readNBytes(MAX_TEXT_BYTES), StandardCharsets.UTF_8);
            return of(file.getName(), text, settings, tokenizer);
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unreadableText("--text", path, e);
        }
    }

    /** Returns Potstill's built-in calibration text. */
    static Sample builtIn(Settings settings, TokenizerDefinition tokenizer) {
        return of("the calibration text of Potstill", CalibrationText.text(), settings, tokenizer);
    }

    private static Sample of(String name, String text, Settings settings, TokenizerDefinition tokenizer) {
        int length = settings.integer("sequence-length", 2, 1 << 20);
        int[] ids;
        try (Tokenizer made = new Tokenizer(tokenizer)) {
            ids = IntStream.of(tokenizer.beginning(made.encode(text))).limit(maxTokens(settings) + 1L).toArray();
        }
        List<int[]> sequences = new ArrayList<>();
        for (int from = 0; from + 1 < ids.length; from += length) {
            sequences.add(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + length + 1)));
        }
        if (sequences.isEmpty()) {
            throw JobErrors.badOption("--text", name + " has fewer than two tokens");
        }
        return new Sample(name, sequences);
    }

    private static int maxTokens(Settings settings) {
        return settings.integer("export.max-tokens", 1, 1 << 24);
    }
}
