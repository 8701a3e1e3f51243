// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.potstill.spark.Distillery;
import org.potstill.spark.settings.Settings;

/** Reads a folder as a corpus. */
final class CorpusReading {
    private CorpusReading() {
    }

    /** In the order of ids. */
    static List<Document> read(Path folder, String... overrides) {
        List<String> all = new ArrayList<>(List.of("corpus.path=" + folder));
        all.addAll(Arrays.asList(overrides));
        List<Document> documents = new ArrayList<>();
        new Corpus(Distillery.spark(), Settings.load(List.of(), all)).documents().collect()
                .forEach(read -> documents.add(new Document(read.id(), read.text(), read.isConversation(), read.problem())));
        documents.sort(Comparator.comparing(Document::id));
        return documents;
    }

    /** Of the documents that can be used, sorted. */
    static List<String> texts(List<Document> documents) {
        return documents.stream().map(Document::text).filter(Objects::nonNull).sorted().toList();
    }

    /** Of those that cannot, in the order of their ids. */
    static List<String> problems(List<Document> documents) {
        return documents.stream().map(Document::problem).filter(Objects::nonNull).toList();
    }
}
