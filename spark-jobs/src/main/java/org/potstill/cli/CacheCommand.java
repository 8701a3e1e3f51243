// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "cache", mixinStandardHelpOptions = true,
        description = "Inspects, verifies, compacts, prunes and exports the soft labels in the cache.",
        footer = {"", "Needs cache.path.", "", "Example:", "  potstill cache --help",
            "  potstill cache inspect --conf distil.conf", "  potstill cache verify --conf distil.conf"},
        subcommands = {CacheInspectCommand.class, CacheVerifyCommand.class, CacheCompactCommand.class, CachePruneCommand.class,
            CacheExportCommand.class})
final class CacheCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Missing required subcommand");
    }
}
