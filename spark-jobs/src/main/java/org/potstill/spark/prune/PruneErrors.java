// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import org.potstill.errors.UserException;

/** User errors about pruning. */
final class PruneErrors {
    private PruneErrors() {
    }

    static UserException nothingToPrune() {
        return new UserException("nothing to prune", "no setting gives the size of the smaller model",
                "set prune.layers (layers to keep) or prune.parameters (a share, such as 0.75), or a width: prune.intermediate-size, "
                        + "prune.kv-heads, prune.hidden-size");
    }

    static UserException notPrunable(String model) {
        return new UserException("cannot prune " + model, "a ready-made graph has no layers to choose from",
                "set prune.model to the GGUF file or Hugging Face folder that it was exported from");
    }

    static UserException anotherPruning(String path, String key, Object now, Object then) {
        return new UserException("the folder " + path + " holds a model that was pruned with other settings",
                key + " is " + now + " now and was " + then + " then",
                "set prune.path to another folder, restore " + key + ", or delete the folder");
    }

    static UserException pruningTextChanged(String progress) {
        return new UserException("the corpus has changed since this pruning run was interrupted",
                "new measurements would not be comparable with the earlier ones",
                "restore the corpus, or delete " + progress + " to start again");
    }
}
