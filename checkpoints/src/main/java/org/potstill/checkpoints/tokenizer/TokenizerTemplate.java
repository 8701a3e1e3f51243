// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;

/**
 * Tokens that the post-processor of a {@code tokenizer.json} adds around a text: {@code [CLS]} and {@code [SEP]} in
 * {@code [CLS] A [SEP]}.
 *
 * @param begin token ids before the text
 * @param end   token ids after the text
 */
record TokenizerTemplate(List<Integer> begin, List<Integer> end) {
    private static final Set<String> WITH_CLS_AND_SEP = Set.of("BertProcessing", "RobertaProcessing");

    /**
     * Reads a post-processor.
     *
     * @return empty if the post-processor adds no tokens
     */
    static Optional<TokenizerTemplate> of(Object processor) throws Json.MalformedException {
        if (!(processor instanceof Map<?, ?> map)) {
            return Optional.empty();
        }
        if (map.get("processors") instanceof List<?> sequence) {
            Optional<TokenizerTemplate> whole = Optional.empty();
            for (Object member : sequence) {
                Optional<TokenizerTemplate> outer = of(member);
                whole = whole.isPresent() && outer.isPresent() ? Optional.of(outer.get().around(whole.get())) : whole.or(() -> outer);
            }
            return whole;
        }
        if (WITH_CLS_AND_SEP.contains(String.valueOf(map.get("type")))) {
            return Optional.of(new TokenizerTemplate(List.of(idOfPair(map, "cls")), List.of(idOfPair(map, "sep"))));
        }
        return map.get("single") instanceof List<?> single ? Optional.of(ofSingle(single, map.get("special_tokens"))) : Optional.empty();
    }

    private TokenizerTemplate around(TokenizerTemplate inner) {
        List<Integer> first = new ArrayList<>(begin);
        first.addAll(inner.begin);
        List<Integer> last = new ArrayList<>(inner.end);
        last.addAll(end);
        return new TokenizerTemplate(first, last);
    }

    private static int idOfPair(Map<?, ?> processor, String name) throws Json.MalformedException {
        if (processor.get(name) instanceof List<?> pair && pair.size() == 2 && pair.get(1) instanceof Long id && id >= 0
                && id <= Integer.MAX_VALUE) {
            return id.intValue();
        }
        throw new Json.MalformedException("its post-processor has no id for " + name);
    }

    private static TokenizerTemplate ofSingle(List<?> single, Object specialTokens) throws Json.MalformedException {
        List<Integer> begin = new ArrayList<>();
        List<Integer> end = new ArrayList<>();
        List<Integer> side = begin;
        for (Object step : single) {
            Map<String, Object> members = Json.asObject(step);
            if (members.get("SpecialToken") instanceof Map<?, ?> special) {
                side.addAll(ids(special.get("id"), Json.asObject(specialTokens)));
            } else if (members.containsKey("Sequence")) {
                side = end;
            }
        }
        return new TokenizerTemplate(begin, end);
    }

    private static List<Integer> ids(Object name, Map<String, Object> specialTokens) throws Json.MalformedException {
        List<Integer> ids = new ArrayList<>();
        if (specialTokens.get(String.valueOf(name)) instanceof Map<?, ?> token && token.get("ids") instanceof List<?> list) {
            for (Object id : list) {
                if (id instanceof Long number && number >= 0 && number <= Integer.MAX_VALUE) {
                    ids.add(number.intValue());
                }
            }
        }
        if (ids.isEmpty()) {
            throw new Json.MalformedException("its template holds " + name + ", which has no id");
        }
        return ids;
    }

    /**
     * Returns a post-processor with this template instead of its own.
     *
     * @param names of the tokens, by id
     */
    Object in(Object processor, Map<Integer, String> names) {
        List<Object> kept = new ArrayList<>();
        keepOthers(processor, kept);
        if (!begin.isEmpty() || !end.isEmpty()) {
            kept.add(written(names));
        }
        return kept.isEmpty() ? null : kept.size() == 1 ? kept.get(0) : TokenizerJson.members("type", "Sequence", "processors", kept);
    }

    private static void keepOthers(Object processor, List<Object> kept) {
        if (!(processor instanceof Map<?, ?> map)) {
            return;
        }
        if (map.get("processors") instanceof List<?> sequence) {
            sequence.forEach(member -> keepOthers(member, kept));
        } else if (!map.containsKey("single") && !WITH_CLS_AND_SEP.contains(String.valueOf(map.get("type")))) {
            kept.add(processor);
        }
    }

    private Map<String, Object> written(Map<Integer, String> names) {
        Map<String, Object> special = new LinkedHashMap<>();
        List<Object> single = new ArrayList<>(steps(begin, names, special));
        single.add(sequence("A", 0));
        single.addAll(steps(end, names, special));
        List<Object> pair = new ArrayList<>(single);
        pair.addAll(steps(begin, names, special));
        pair.add(sequence("B", 1));
        pair.addAll(steps(end, names, special));
        Map<String, Object> template = new LinkedHashMap<>();
        template.put("type", "TemplateProcessing");
        template.put("single", single);
        template.put("pair", pair);
        template.put("special_tokens", special);
        return template;
    }

    private static List<Object> steps(List<Integer> ids, Map<Integer, String> names, Map<String, Object> special) {
        List<Object> steps = new ArrayList<>();
        for (int id : ids) {
            String name = names.get(id);
            if (name == null) {
                throw CheckpointErrors.badTokenizerDefinition("no token has the id " + id + ", which begins or ends documents");
            }
            steps.add(TokenizerJson.members("SpecialToken", TokenizerJson.members("id", name, "type_id", 0L)));
            special.put(name, TokenizerJson.members("id", name, "ids", List.of((long) id), "tokens", List.of(name)));
        }
        return steps;
    }

    private static Object sequence(String id, long type) {
        return TokenizerJson.members("Sequence", TokenizerJson.members("id", id, "type_id", type));
    }
}
