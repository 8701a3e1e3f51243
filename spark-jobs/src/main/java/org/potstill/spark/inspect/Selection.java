// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.errors.JobErrors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Selection of labels in a cache.
 *
 * @param cache   path of the cache
 * @param teacher prefix of the teacher's fingerprint; empty for any
 * @param spec    name of the target specification; empty for any
 */
public record Selection(String cache, String teacher, String spec) {
    private static final Logger LOG = LoggerFactory.getLogger(Selection.class);

    /** Returns the folders that match; a folder's name has only part of the fingerprint, so {@link #stores} checks the rest. */
    List<String> folders(SparkSession spark) {
        List<String> all = LabelStores.folders(spark, cache);
        List<String> meant = all.stream().filter(this::admits).filter(this::isKnown).toList();
        if (meant.isEmpty()) {
            throw JobErrors.noSuchLabels(cache, teacher, spec, all);
        }
        return meant;
    }

    /**
     * Opens the matching stores.
     *
     * @throws org.potstill.errors.UserException if none matches or the description of one is damaged
     */
    public List<LabelStore> stores(SparkSession spark) {
        List<LabelStore> stores = folders(spark).stream().map(held -> LabelStores.open(spark, cache, held))
                .filter(store -> store.labels().teacher().startsWith(teacher)).toList();
        if (stores.isEmpty()) {
            throw JobErrors.noSuchLabels(cache, teacher, spec, LabelStores.folders(spark, cache));
        }
        return stores;
    }

    /** Returns whether this version knows the kind of targets; warns of others unless they are selected by name. */
    private boolean isKnown(String folder) {
        String name = folder.substring(folder.indexOf("/spec=") + "/spec=".length());
        if (spec.isEmpty() && !TargetSpec.isName(name)) {
            LOG.warn("{}/{} is left out: this version does not know targets of the kind {}; delete the folder unless another "
                    + "version still needs it", cache, folder, name);
            return false;
        }
        return true;
    }

    private boolean admits(String folder) {
        int slash = folder.indexOf('/');
        String print = folder.substring(Labels.FOLDER.length(), slash);
        return (print.startsWith(teacher) || teacher.startsWith(print)) && (spec.isEmpty() || folder.substring(slash + 1).equals("spec=" + spec));
    }
}
