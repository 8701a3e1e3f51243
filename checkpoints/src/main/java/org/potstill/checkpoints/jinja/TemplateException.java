package org.potstill.checkpoints.jinja;

/** A template that is not well-formed, asks for what is not supported or too much, or raised this itself. */
public final class TemplateException extends Exception {
    TemplateException(String message) {
        super(message);
    }
}
