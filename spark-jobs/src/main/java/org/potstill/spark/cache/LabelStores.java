// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.TableErrors;
import org.potstill.spark.storage.HadoopFolder;

/** The soft labels that a cache holds: of each teacher and target specification, a {@link LabelStore}. */
public final class LabelStores {
    private LabelStores() {
    }

    /**
     * Finds a cache's labels for a target specification.
     *
     * @param wanted  target specification
     * @param teacher fingerprint of the teacher; null if the cache has only one
     * @throws UserException if there are no such labels, or several teachers' and {@code teacher} is null
     */
    public static LabelStore find(SparkSession spark, String cache, TargetSpec wanted, String teacher) {
        return ofTeacher(all(spark, cache, wanted), cache, teacher);
    }

    /**
     * Returns a cache's labels for a target specification, of all teachers.
     *
     * @throws UserException if there are none
     */
    static List<LabelStore> all(SparkSession spark, String cache, TargetSpec wanted) {
        List<String> all = folders(spark, cache);
        List<LabelStore> found = all.stream().filter(held -> held.endsWith("/spec=" + wanted.name()))
                .map(held -> open(spark, cache, held)).toList();
        if (found.isEmpty()) {
            throw JobErrors.noCache(cache, wanted.name(), all);
        }
        return found;
    }

    /**
     * Selects the labels of a teacher.
     *
     * @param found   see {@link #all}
     * @param teacher fingerprint; null if there is only one
     * @throws UserException if there are none, or if they are ambiguous
     */
    static LabelStore ofTeacher(List<LabelStore> found, String cache, String teacher) {
        List<String> teachers = found.stream().map(store -> store.labels().teacher()).toList();
        if (teacher == null && found.size() > 1) {
            throw JobErrors.ambiguousCache(cache, teachers);
        }
        return found.stream().filter(store -> teacher == null || store.labels().teacher().equals(teacher)).findFirst()
                .orElseThrow(() -> JobErrors.cacheOfAnotherTeacher(cache, teacher, teachers));
    }

    /** Lists the folders {@code teacher=…/spec=…} of a cache that have a provenance, sorted by name. */
    public static List<String> folders(SparkSession spark, String cache) {
        HadoopFolder root = new HadoopFolder("cache", cache, spark.sparkContext().hadoopConfiguration());
        return root.names().stream().filter(teacher -> teacher.startsWith(Labels.FOLDER))
                .flatMap(teacher -> root.folder(teacher).names().stream().map(spec -> teacher + "/" + spec))
                .filter(held -> new Provenance(root.folder(held)).exists()).toList();
    }

    /**
     * Opens one folder of a cache.
     *
     * @param held see {@link #folders}
     * @throws UserException if its provenance is damaged or belongs to another folder
     */
    public static LabelStore open(SparkSession spark, String cache, String held) {
        Provenance provenance = new Provenance(new HadoopFolder("cache", cache, spark.sparkContext().hadoopConfiguration()).folder(held));
        Labels labels = provenance.labels();
        if (!labels.folder().equals(held)) {
            throw JobErrors.damagedJson(provenance.path(), "it describes " + labels.folder() + " and lies in " + held);
        }
        return new LabelStore(spark, cache, labels);
    }

    /**
     * Returns the contents of the files of priors that rows name.
     *
     * @param path a folder {@code teacher=…/spec=…}, or a cache with only one
     * @throws UserException if it is neither
     */
    public static List<byte[]> priors(SparkSession spark, String path) {
        HadoopFolder given = new HadoopFolder("cache", path, spark.sparkContext().hadoopConfiguration());
        HadoopFolder folder = given;
        if (!new Provenance(given).exists()) {
            List<String> all = folders(spark, path);
            if (all.size() != 1) {
                throw TableErrors.notOneFolder(path, all);
            }
            folder = given.folder(all.get(0));
        }
        return TokenPriors.in(folder, new Provenance(folder).labels().vocabSize()).files();
    }
}
