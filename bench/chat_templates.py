"""Compares how we render chat templates with transformers: public ones, ten conversations each, a fixed clock.

    python bench/chat_templates.py collect FOLDER SOURCE...   # gathers templates: SOURCEs are unpacked packages or checkouts
    python bench/chat_templates.py compare FOLDER             # exit status 1 where a text differs

Sources that bring many: llama.cpp (models/templates), the npm packages @huggingface/ollama-utils and @huggingface/jinja with its
tests, the Python packages xinference (llm_family.json), trl, axolotl and aphrodite-engine, and folders of models. Templates belong
to their authors: they stay in a folder that is not committed. Needs transformers; compile the Java side as it says when it is not.
"""

import argparse
import collections
import datetime
import hashlib
import json
import re
import tempfile
from pathlib import Path

from peer import java
from transformers.utils import chat_template_utils

SHOWN = 100


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 15, 4, 5)


CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "call00001", "type": "function", "function": {"name": "weather", "arguments": {"city": "Köln", "days": 3, "exact": True}}},
    {"id": "call00002", "type": "function", "function": {"name": "clock", "arguments": {}}}]}
RESULTS = [{"role": "tool", "tool_call_id": "call00001", "name": "weather", "content": "{\"sky\": \"grey\"}"},
           {"role": "tool", "tool_call_id": "call00002", "name": "clock", "content": "12:00"}]
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Says the weather.\n<b>Now</b> & later", "parameters": {
        "type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "Where"}, "days": {"type": "integer", "default": 1, "enum": [1, 2, 3]},
            "units": {"type": ["string", "null"]}, "exact": {"type": "boolean"}, "range": {"type": "array", "items": {"type": "number"}}}}}},
    {"type": "function", "function": {"name": "clock", "description": "Says the time.", "parameters": {"type": "object", "properties": {}}}}]
SYSTEM = {"role": "system", "content": "Be brief.\n"}
USER = {"role": "user", "content": " What's up, <you> & \"you\"?\n"}
ANSWER = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nNot much."}
CONVERSATIONS = [
    {"messages": [USER]},
    {"messages": [SYSTEM, USER]},
    {"messages": [SYSTEM, USER, ANSWER, {"role": "user", "content": "And now?"}]},
    {"messages": [SYSTEM, USER, CALL, *RESULTS, {"role": "assistant", "content": "Grey."}, USER], "tools": TOOLS},
    {"messages": []},
    {"messages": [{"role": "user", "content": "日本 😀 e\u0301 \u00a0\u2028\u200b é\t\r\n'\"\\"}]},
    {"messages": [SYSTEM, USER, ANSWER], "add_generation_prompt": False},
    {"messages": [USER, ANSWER, USER], "enable_thinking": False},
    {"messages": [USER, {"role": "assistant", "content": "Fine.", "reasoning_content": "Well.\n"}, USER], "enable_thinking": True},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "One "}, {"type": "text", "text": "two"}]}]},
]
VARIABLES = {"add_generation_prompt": True, "tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"}


def members(value, name: str):
    """Every chat template in a JSON file, with a name for it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("chat_template", "template") and isinstance(inner, str):
                yield f"{name}-{value.get('model_name') or value.get('name') or ''}", inner
            else:
                yield from members(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner, name)


def templates(file: Path):
    if re.fullmatch(r"\.(jinja2?|j2)", file.suffix):
        yield file.stem, file.read_bytes().decode(errors="replace")
    elif file.suffix == ".json":
        yield from members(json.loads(file.read_text(errors="replace")), file.stem)
    elif file.suffix in (".ts", ".js", ".mjs"):
        for text in re.findall(r'"(?:[^"\\\n]|\\.)*\{%(?:[^"\\\n]|\\.)*"', file.read_text(errors="replace")):
            yield file.stem, json.loads(text)


def collect(folder: Path, sources: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    for source in sources:
        for file in sorted(source.rglob("*")):
            if not file.is_file() or file.stat().st_size > 1 << 25:
                continue
            try:
                found = list(templates(file))
            except ValueError:
                continue
            for name, text in found:
                digest = hashlib.sha256(text.encode()).hexdigest()
                if "messages" in text and digest not in seen:
                    seen.add(digest)
                    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{source.name}-{name}")[-100:]
                    (folder / f"{plain}-{digest[:8]}.jinja").write_bytes(text.encode())
    print(len(seen), "distinct templates")


def reference(template: str, variables: dict) -> tuple[str | None, str]:
    try:
        return chat_template_utils._compile_jinja_template(template).render(**variables), ""
    except Exception as e:
        return None, f"{type(e).__name__}: {e}"


def compare(folder: Path) -> bool:
    chat_template_utils.datetime = Clock
    files = sorted(folder.glob("*.jinja"))
    conversations = [VARIABLES | conversation for conversation in CONVERSATIONS]
    with tempfile.TemporaryDirectory() as temporary:
        given, out = Path(temporary, "conversations.json"), Path(temporary, "out.jsonl")
        given.write_text(json.dumps({"conversations": conversations}))
        if java("org.potstill.checkpoints.TemplateDump", out, given, *files, module="checkpoints").wait() != 0:
            raise SystemExit("our side failed; its message is above")
        rows = [json.loads(line) for line in out.read_text().split("\n") if line]
    counts, wrong, reasons = collections.Counter(), collections.defaultdict(set), collections.Counter()
    for row in rows:
        text, error = reference(Path(row["template"]).read_bytes().decode(), conversations[row["conversation"]])
        if row["text"] is None or text is None:
            outcome = ("both refuse" if row["text"] == text else
                       "refused by us alone" if row["text"] is None else "refused by transformers alone")
        elif row["text"] == text:
            outcome = "equal"
        else:
            outcome = "different"
            at = next((i for i, (a, b) in enumerate(zip(row["text"], text)) if a != b), min(len(row["text"]), len(text)))
            print(f"{Path(row['template']).name} {row['conversation']}: at {at}\n  ours   {row['text'][at:at + SHOWN]!r}\n"
                  f"  theirs {text[at:at + SHOWN]!r}")
        counts[outcome] += 1
        if outcome not in ("equal", "both refuse"):
            wrong[outcome].add(row["template"])
            reasons[f"{outcome}: {row.get('error', error) if row['text'] is None else error}"] += 1
    for reason, count in reasons.most_common(40):
        print(f"{count:5} {reason[:180]}")
    print(len(files), "templates,", sum(counts.values()), "renderings:", dict(counts))
    print("templates that are right in all:", len(files) - len(set().union(*wrong.values())))
    return "different" in counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["collect", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sources", nargs="*", type=Path)
    options = parser.parse_args()
    if options.command == "collect":
        collect(options.folder, options.sources)
    elif compare(options.folder):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
