// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.settings.Settings;

/** A corpus with a column that says which of two tiny teachers scores a document: what the tests of several teachers begin with. */
public final class TwoTeachers {
    public static final String CODE = "domain = 'code'";

    private final Path folder;
    private final Distillery distillery;

    public TwoTeachers(Path folder) {
        this.folder = folder;
        this.distillery = new Distillery(folder);
        TinyLlama.write(coder(), 8);
        write(12);
    }

    /** Writes a corpus of so many documents, every third of which is code. */
    public void write(int documents) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < documents; i++) {
            lines.append(String.format(Locale.ROOT, "{\"id\": \"d%d\", \"text\": \"%s\", \"domain\": \"%s\"}\n", i, Distillery.text(i, 60),
                    i % 3 == 0 ? "code" : "prose"));
        }
        Distillery.write(corpus(), lines.toString());
    }

    public Path corpus() {
        return folder.resolve("lines.jsonl");
    }

    /** The teacher of code; that of the rest is {@link Distillery#teacher}. */
    public Path coder() {
        return folder.resolve("coder.gguf");
    }

    public Path general() {
        return distillery.teacher();
    }

    /** Settings with one of the teachers, or none. */
    public Settings settings(String... overrides) {
        List<String> all = new ArrayList<>(List.of("corpus.path=" + corpus(), "corpus.format=json", "corpus.id-field=id", "teacher.path="));
        all.addAll(List.of(overrides));
        return distillery.settings(all.toArray(String[]::new));
    }

    /** Settings in which the two teachers share the corpus. */
    public Settings both(String... overrides) {
        List<String> all = new ArrayList<>(List.of("teachers.code.path=" + coder(), "teachers.code.where=" + CODE, "teachers.general.path=" + general()));
        all.addAll(List.of(overrides));
        return settings(all.toArray(String[]::new));
    }

    /** The labels that one teacher made. */
    public LabelStore store(String cache, String teacher) {
        return LabelStores.find(Distillery.spark(), folder.resolve(cache).toString(), TargetSpec.topK(8), teacher);
    }
}
