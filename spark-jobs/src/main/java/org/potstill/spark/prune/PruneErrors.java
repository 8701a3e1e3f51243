package org.potstill.spark.prune;

import org.potstill.errors.UserException;

/** User errors of pruning. */
final class PruneErrors {
    private PruneErrors() {
    }

    static UserException nothingToPrune() {
        return new UserException("nothing to prune", "no setting says what the smaller model is to be",
                "set prune.layers (to keep) or prune.parameters (a share, such as 0.75), or a width: prune.intermediate-size, "
                        + "prune.kv-heads, prune.hidden-size");
    }

    static UserException notPrunable(String model) {
        return new UserException("cannot prune " + model, "a ready-made graph has no layers to choose from",
                "give the GGUF file or Hugging Face folder that it was made of as prune.model");
    }

    static UserException anotherPruning(String path, String key, Object now, Object then) {
        return new UserException("the folder " + path + " holds a model that was pruned with other settings",
                key + " is " + now + " now and was " + then + " then",
                "set prune.path to another folder, restore " + key + ", or delete the folder");
    }

    static UserException pruningTextChanged(String progress) {
        return new UserException("the corpus has changed since this pruning was stopped",
                "what is measured from here on would not compare with what was measured before",
                "restore the corpus, or delete " + progress + " to begin again");
    }

    static UserException notPruningsFolder(String path, String name) {
        return new UserException("the folder " + path + " holds something else than a pruned model", "it has a " + name
                + " that prune did not write, and would be overwritten", "set prune.path to an empty folder, or one to be");
    }
}
