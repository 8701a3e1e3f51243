package org.potstill.checkpoints;

import java.nio.file.Path;

/** Opens checkpoints. */
public final class Checkpoints {
    private Checkpoints() {
    }

    /**
     * Opens a checkpoint by what the file says it is, whatever its name. GGUF versions 2 and 3 with a Llama-family
     * model are supported.
     *
     * @throws org.potstill.errors.UserException if the file cannot be read, is damaged, or holds a model whose forward
     *         pass this project does not know exactly
     */
    public static Checkpoint open(Path file) {
        return GgufCheckpoint.open(file);
    }
}
