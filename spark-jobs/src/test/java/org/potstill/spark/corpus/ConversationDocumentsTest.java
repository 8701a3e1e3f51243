// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;

class ConversationDocumentsTest {
    private static final String ASKED = "{'role':'user','content':'Hi'},{'role':'assistant','content':'Yes.'}";
    private static final String WHOLE = "{'messages':[" + ASKED + "]}";

    @TempDir
    private Path folder;

    private Document json(String line, String... overrides) {
        Distillery.write(folder.resolve("a.jsonl"), line.replace('\'', '"') + "\n");
        List<Document> documents = CorpusReading.read(folder, overrides);
        assertEquals(1, documents.size());
        return documents.get(0);
    }

    private static void assertSaid(String expected, Document document) {
        assertEquals(expected.replace('\'', '"'), document.text(), document.problem());
        assertTrue(document.isConversation());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{'messages': [{'content': 'Hi', 'role': 'user'}, {'role': 'assistant', 'content': 'Yes.', 'tool_calls': null}]}",
        "{'conversations': [{'from': 'human', 'value': 'Hi'}, {'from': 'gpt', 'value': 'Yes.'}], 'id': 7}",
        "{'prompt': 'Hi', 'completion': 'Yes.'}",
        "{'prompt': [{'role': 'user', 'content': 'Hi'}], 'completion': [{'role': 'assistant', 'content': 'Yes.'}]}",
        "{'instruction': 'Hi', 'input': '', 'output': 'Yes.'}",
        "{'text': null, 'messages': [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Yes.'}]}",
        "{'messages': '[{\\'role\\': \\'user\\', \\'content\\': \\'Hi\\'}, {\\'role\\': \\'assistant\\', \\'content\\': \\'Yes.\\'}]'}"})
    void conversationsAreRecognisedByTheirColumns(String line) {
        assertSaid(WHOLE, json(line));
    }

    @Test
    void whatIsBesideTheMessagesBelongsToThem() {
        assertSaid("{'messages':[{'role':'system','content':'Be brief.'},{'role':'user','content':'Add.\\n1 1'},{'role':'assistant','content':'2'}]}",
                json("{'instruction': 'Add.', 'input': '1 1', 'output': '2', 'system': 'Be brief.'}"));
        assertSaid("{'messages':[{'role':'user','content':'Hi'},{'role':'assistant','tool_calls':[{'type':'function','function':"
                + "{'name':'look','arguments':{'n':3}}}]},{'role':'tool','content':'4'}],'tools':[{'name':'look'}]}",
                json("{'tools': '[{\\'name\\': \\'look\\'}]', 'conversations': [{'from': 'human', 'value': 'Hi'}, {'from': 'function_call', "
                        + "'value': '{\\'name\\': \\'look\\', \\'arguments\\': {\\'n\\': 3}}'}, {'from': 'observation', 'value': '4'}]}"));
        assertSaid("{'messages':[{'role':'assistant','tool_calls':[{'function':{'name':'look'}}]}]}",
                json("{'messages': [{'role': 'assistant', 'content': null, 'tool_calls': '[{\\'function\\': {\\'name\\': \\'look\\'}}]'}]}"));
        String parts = "{'messages':[{'role':'user','content':[{'type':'text','text':'Hi'}],'name':'a','weight':1.5}]}";
        assertSaid(parts, json(parts));
    }

    @Test
    void aTextComesFirstUnlessTheUserNamesTheMessages() {
        String both = "{'messages': [" + ASKED + "], 'text': 'A text.'}";
        assertEquals("A text.", json(both).text());
        assertFalse(json(both).isConversation());
        assertSaid(WHOLE, json(both, "corpus.conversations=messages"));
        assertSaid(WHOLE, json("{'data': {'turns': [" + ASKED + "], 'id': '7'}, 'text': 'A text.'}", "corpus.conversations=data.turns",
                "corpus.id-field=data.id"));
        assertEquals("7", json("{'data': {'turns': [" + ASKED + "], 'id': '7'}}", "corpus.conversations=data.turns", "corpus.id-field=data.id").id());
        assertSaid(WHOLE, json("{'question': 'Hi', 'answer': 'Yes.'}", "corpus.conversations=\"question, answer\""));
        assertTrue(json(both.replace("'text'", "'body'"), "corpus.conversations=none").problem().contains("no text in the field 'text'"));
        assertTrue(json(both, "corpus.conversations=turns").problem().contains("no conversation in the field 'turns'"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{'messages': []} | it has no messages",
        "{'messages': {'role': 'user'}} | 'messages' is an object, not a list of messages",
        "{'messages': ['Hi']} | message 1 is a text, not an object",
        "{'messages': [{'role': 'user', 'content': 'Hi'}, {'content': 'Yes.'}]} | message 2 has no role",
        "{'messages': [{'role': 'user', 'content': 5}]} | message 1 has content that is a number",
        "{'messages': [{'role': 'user', 'content': [{'type': 'image', 'url': 'x'}]}]} | message 1 has a part that is not text but of type 'image'",
        "{'conversations': [{'from': 'narrator', 'value': 'Hi'}]} | message 1 is from 'narrator', which is not known",
        "{'messages': [{'role': 'user', 'content': 'a\\u0000'}]} | it holds NUL characters",
        "{'messages': [{'role': 'user', 'content': 'a\\ud83d'}]} | it holds half of a surrogate pair",
        "{'messages': [{'role': 'user', 'content': 'Hi', 'n': 123456789012345678901}]} | it has an integer beyond 64 bits",
        "{'messages': [{'role': 'user', 'content': 'Hi'}], 'tools': 5} | 'tools' is a number, not a list",
        "{'messages': '[{'} | not JSON",
        "{'messages': [{'role': 'assistant', 'tool_calls': '[{'}]} | not JSON",
        "{'instruction': 'Hi', 'context': '', 'response': 'Yes.'} | no text in the field 'text'"})
    void whatIsNoConversationGoesToTheQuarantineWithItsReason(String line, String reason) {
        String problem = json(line).problem();
        assertTrue(problem.contains(reason.strip()), problem);
    }

    @Test
    void nestingAndNumbersOfValuesAreBounded() {
        String deep = "{'messages': [{'role': 'user', 'content': 'Hi', 'x': " + "[".repeat(5000) + "]".repeat(5000) + "}]}";
        assertTrue(json(deep).problem().contains("nested deeper"), deep.substring(0, 60));
        String many = "{'messages': [{'role': 'user', 'content': 'Hi', 'x': [" + "1,".repeat(600_000) + "1]}]}";
        assertTrue(json(many).problem().contains("more than"), "many values");
        // A record with a text is not concerned.
        assertEquals("A text.", json("{'text': 'A text.', 'messages': " + "[".repeat(5000) + "]".repeat(5000) + "}").text());
    }

    @Test
    void conversationsInAnArrayAreReadToo() {
        Distillery.write(folder.resolve("a.json"), ("[" + WHOLE + ",\n" + WHOLE + "]").replace('\'', '"'));
        List<Document> documents = CorpusReading.read(folder);
        assertEquals(2, documents.size());
        documents.forEach(document -> assertSaid(WHOLE, document));
    }

    @Test
    void theHoldOutDoesNotDependOnTheOrderOfMembers() {
        assertEquals(json("{'messages': [{'role': 'tool', 'name': 'a', 'tool_call_id': 'b'}]}").content(),
                json("{'messages': [{'tool_call_id': 'b', 'name': 'a', 'role': 'tool'}]}").content());
    }

    private Document parquet(String schema, Consumer<Group> row) {
        ParquetFiles.write(folder.resolve("a.parquet"), schema, CompressionCodecName.SNAPPY, List.of(row));
        List<Document> documents = CorpusReading.read(folder);
        assertEquals(1, documents.size());
        return documents.get(0);
    }

    private static void say(Group message, String role, String content) {
        message.append("role", role);
        if (content != null) {
            message.append("content", content);
        }
    }

    @Test
    void listsOfStructsInParquetAreReadInEveryLayout() {
        String message = "{ optional binary role (STRING); optional binary content (STRING); optional binary name (STRING); }";
        Document now = parquet("message m { optional group messages (LIST) { repeated group list { optional group element " + message + " } } "
                + "optional int32 other; }", row -> {
            Group list = row.addGroup("messages");
            say(list.addGroup("list").addGroup("element"), "user", "Hi");
            say(list.addGroup("list").addGroup("element"), "assistant", "Yes.");
        });
        assertSaid(WHOLE, now);
        assertTrue(now.id().endsWith("a.parquet:0"), now.id());
        assertSaid(WHOLE, parquet("message m { optional group messages (LIST) { repeated group array " + message + " } }", row -> {
            Group list = row.addGroup("messages");
            say(list.addGroup("array"), "user", "Hi");
            say(list.addGroup("array"), "assistant", "Yes.");
        }));
        assertSaid(WHOLE, parquet("message m { repeated group messages " + message + " }", row -> {
            say(row.addGroup("messages"), "user", "Hi");
            say(row.addGroup("messages"), "assistant", "Yes.");
        }));
    }

    @Test
    void toolCallsInParquetAreReadWithoutWhatIsNull() {
        Document document = parquet("message m { optional group messages (LIST) { repeated group list { optional group element { "
                + "optional binary role (STRING); optional binary content (STRING); optional group tool_calls (LIST) { repeated group list { "
                + "optional group element { optional group function { optional binary name (STRING); optional group arguments { "
                + "optional int64 n; optional binary city (STRING); } } } } } } } } "
                + "optional group tools (LIST) { repeated group list { optional group element (MAP) { repeated group key_value { "
                + "required binary key (STRING); optional binary value (STRING); } } } } }", row -> {
            Group list = row.addGroup("messages");
            say(list.addGroup("list").addGroup("element"), "user", "Hi");
            Group call = list.addGroup("list").addGroup("element");
            say(call, "assistant", null);
            Group function = call.addGroup("tool_calls").addGroup("list").addGroup("element").addGroup("function");
            function.append("name", "look").addGroup("arguments").append("n", 3L);
            row.addGroup("tools").addGroup("list").addGroup("element").addGroup("key_value").append("key", "name").append("value", "look");
        });
        assertSaid("{'messages':[{'role':'user','content':'Hi'},{'role':'assistant','tool_calls':[{'function':{'name':'look',"
                + "'arguments':{'n':3}}}]}],'tools':[{'name':'look'}]}", document);
    }

    @Test
    void columnsThatAreMissingAreNamed() {
        ParquetFiles.write(folder.resolve("a.parquet"), "message m { optional binary body (STRING); }", CompressionCodecName.SNAPPY,
                List.of(group -> group.append("body", "x")));
        UserException error = assertThrows(UserException.class, () -> CorpusReading.read(folder, "corpus.conversations=turns"));
        assertTrue(error.getMessage().contains("no column 'turns': its columns are body"), error.getMessage());
    }
}
