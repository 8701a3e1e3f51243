// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.generation.Answer;
import org.potstill.teacher.generation.AnswerRequest;
import org.potstill.teacher.generation.AnswerWriter;

/**
 * One task: has its answers written and commits them as one file.
 *
 * @param prompts   how the prompts were made
 * @param cores     CPU cores per executor
 * @param tokenizer the teacher's
 * @param tokens    counts new tokens
 * @param answers   counts answers
 */
record ShardWriting(TeacherSource source, WriteSettings told, Prompts prompts, AnswerStore store, int cores,
        Broadcast<SerializableConfiguration> hadoop, Broadcast<TokenizerDefinition> tokenizer, LongAccumulator tokens,
        LongAccumulator answers) implements Serializable {

    ShardResult write(Iterator<PendingAnswer> pending) {
        List<PendingAnswer> asked = new ArrayList<>();
        pending.forEachRemaining(asked::add);
        if (asked.isEmpty()) {
            return ShardResult.NONE;
        }
        AnswerWriter writer = ExecutorWriter.get(source, prompts.keys(), told, cores, hadoop.value().value());
        Prompts.Rendering rendering = prompts.rendering(tokenizer.value());
        List<CompletableFuture<Answer>> results = new ArrayList<>();
        try {
            for (PendingAnswer one : asked) {
                results.add(writer.submit(new AnswerRequest(one.prompt().tokens(), prompts.keys().shared(), told.maxNewTokens(), one.number(), told.seed())));
            }
            return commit(asked, results, rendering);
        } finally {
            // A task that fails or is killed leaves no work behind.
            results.forEach(result -> result.cancel(false));
        }
    }

    private ShardResult commit(List<PendingAnswer> asked, List<CompletableFuture<Answer>> results, Prompts.Rendering rendering) {
        List<WrittenAnswer> rows = new ArrayList<>();
        Map<String, String> unwritten = new TreeMap<>();
        long newTokens = 0;
        for (int i = 0; i < asked.size(); i++) {
            Answer answer = result(results.get(i));
            if (answer.end() == Answer.End.NOT_FINITE) {
                unwritten.put(asked.get(i).prompt().key(), "answer " + asked.get(i).number() + ": the teacher's logits are not finite after "
                        + answer.tokens().length + " tokens");
            } else {
                rows.add(row(asked.get(i), answer, rendering));
                newTokens += answer.tokens().length;
                tokens.add(answer.tokens().length);
            }
            answers.add(1);
        }
        rows.sort(Comparator.comparing(WrittenAnswer::id));
        long bytes = rows.isEmpty() ? 0 : store.write(rows, hadoop.value().value());
        return new ShardResult(rows.size(), newTokens, bytes, rows.isEmpty() ? 0 : 1, unwritten);
    }

    private static Answer result(CompletableFuture<Answer> result) {
        try {
            return result.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException known ? known : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("the task was interrupted while the teacher wrote", e);
        }
    }

    private static WrittenAnswer row(PendingAnswer asked, Answer answer, Prompts.Rendering rendering) {
        Prompt prompt = asked.prompt();
        String text = rendering.text(answer.tokens());
        List<Prompt.Message> messages = new ArrayList<>(prompt.messages());
        messages.add(new Prompt.Message("assistant", text));
        String finish = text.isBlank() ? WrittenAnswer.EMPTY : answer.end() == Answer.End.STOP ? WrittenAnswer.STOP : WrittenAnswer.LENGTH;
        return new WrittenAnswer(AnswerKeys.answer(prompt.key(), asked.number()), prompt.key(), prompt.document(), asked.number(), finish,
                messages, prompt.tools(), answer.tokens());
    }
}
