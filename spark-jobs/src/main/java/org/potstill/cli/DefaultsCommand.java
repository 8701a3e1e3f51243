// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import org.potstill.spark.settings.Settings;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "defaults", mixinStandardHelpOptions = true,
        description = "Prints every setting with its default and meaning: a file to start from.")
final class DefaultsCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().getOut().print(Settings.defaults());
        spec.commandLine().getOut().flush();
    }
}
