// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.config.Configuration;
import org.apache.logging.log4j.core.config.ConfigurationFactory;
import org.apache.logging.log4j.core.config.ConfigurationSource;
import org.apache.logging.log4j.core.impl.Log4jLogEvent;
import org.apache.logging.log4j.message.SimpleMessage;
import org.junit.jupiter.api.Test;

class LogConfigurationTest {
    @Test
    void ofAnExceptionOneLineIsLogged() {
        Configuration configuration = ConfigurationFactory.getInstance().getConfiguration(new LoggerContext("log4j2.properties"),
                ConfigurationSource.fromUri(Path.of("../conf/log4j2.properties").toUri()));
        configuration.initialize();
        Log4jLogEvent event = Log4jLogEvent.newBuilder().setLoggerName("a.B").setLevel(Level.ERROR).setMessage(new SimpleMessage("said"))
                .setThrown(new IllegalStateException("why", new IllegalStateException("deeper"))).build();
        List<Integer> lines = List.of("console", "tasks").stream()
                .map(name -> (int) configuration.<org.apache.logging.log4j.core.Appender>getAppender(name).getLayout().toSerializable(event).toString().lines().count()).toList();
        assertEquals(List.of(2, 1), lines);
    }
}
