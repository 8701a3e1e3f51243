"""What the teacher's answers are worth: the chat student beside one trained on the same prompts with the text's own answers.

    deploy/chat.sh              # once: prompts, answers, the student
    python bench/chat.py [--max-new-tokens 128]

The other student begins with the same pruned layers and has the same settings and prompts; WordNet's answers take the place of the
teacher's, which labels them, too. All are compared on prompts that neither saw, with the answers that the teacher wrote to them:
KL(teacher || model), top-1 agreement and perplexity over the answers' tokens with the one that ends the turn, in transformers and fp32,
with 95 % intervals by bootstrap over prompts. Then all answer these prompts with `potstill write`, sampled as in conf/chat.conf: how many
answers they end themselves, and how long these are. What is there is not made again. Needs torch, transformers, gguf and pyarrow.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import torch
from peer import ROOT, cpu, potstill, transformers_model
from transformers import AutoModelForCausalLM, AutoTokenizer

CONF = str(ROOT / "conf/chat.conf")
CHAT = ROOT / "chat"
TEACHER = ROOT / "quickstart/SmolLM2-135M-Instruct.Q4_1.gguf"
OWN = CHAT / "own"
MODELS = {"teacher": TEACHER, "pruned, before training": CHAT / "pruned", "trained on the text's own answers": OWN / "exported",
          "trained on the teacher's answers": CHAT / "exported"}
END_OF_TURN = "<|im_end|>"
RESAMPLES = 1000


def rows(folder: Path) -> list[dict]:
    return [row for file in sorted(folder.glob("part-*.parquet")) for row in parquet.read_table(file).to_pylist()]


def trained_on() -> set[str]:
    """The documents of the student's snapshot, to which those held out do not belong."""
    pointer, = (CHAT / "cache").glob("teacher=*/spec=*/snapshots/current.json")
    snapshot = pointer.parent / json.loads(pointer.read_text())["run"]
    return set(parquet.read_table(snapshot, columns=["document"])["document"].to_pylist())


def lines(file: Path, records) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def train_on_own_answers(prompts: dict[str, dict], documents: set[str]) -> None:
    if (OWN / "exported").exists():
        return
    lines(OWN / "answers.jsonl", (prompts[document] for document in sorted(documents)))
    settings = {"corpus.path": OWN / "answers.jsonl", "corpus.holdout": 0, "cache.path": OWN / "cache", "student.path": OWN / "student",
                "student.init": CHAT / "pruned"}
    for command in ("label", "train"):
        potstill(command, "--conf", CONF, settings)
    potstill("export", "--conf", CONF, "--to", "hf", "--output", str(OWN / "exported"), settings)


def answers(name: str, model: Path, held_out: Path, max_new_tokens: int) -> dict[str, dict]:
    """The model's answers to the held-out prompts, by document."""
    folder = CHAT / "held-out" / f"{re.sub('[^a-z]+', '-', name)}-{max_new_tokens}"
    if not folder.exists():
        potstill("write", "--conf", CONF,
                 {"corpus.path": held_out, "teacher.path": model, "teacher.precision": "fp32", "write.path": folder,
                  "write.max-new-tokens": max_new_tokens, "write.keep-truncated": "true", "write.keep-empty": "true",
                  "spark.task.cpus": 1})
    return {row["document"]: row for row in rows(folder)}


def load(model: Path):
    if model.suffix == ".gguf":
        return transformers_model(model, torch.float32)
    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()


def encoded(tokenizer, messages: list[dict]) -> tuple[list[int], int]:
    """Tokens up to the end of the last turn, and where the last answer begins."""
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    whole = prompt + messages[-1]["content"] + END_OF_TURN
    begin = len(tokenizer(prompt, add_special_tokens=False).input_ids)
    return tokenizer(whole, add_special_tokens=False).input_ids, begin


def compare(texts: list[tuple[list[int], int]]) -> dict[str, dict[str, np.ndarray]]:
    """For each model and figure, the sum over each text's answer. The teacher comes first."""
    teachers: list = []
    sums = {}
    for name, path in MODELS.items():
        model = load(path)
        found = []
        with torch.inference_mode():
            for i, (tokens, begin) in enumerate(texts):
                ids = torch.tensor([tokens])
                its = model(ids).logits[0, begin - 1:-1].log_softmax(-1)
                if path == TEACHER:
                    teachers.append(its)
                theirs = teachers[i]
                found.append([(theirs.exp() * (theirs - its)).sum().item(), (theirs.argmax(-1) == its.argmax(-1)).sum().item(),
                              -its.gather(1, ids[0, begin:, None]).sum().item()])
        sums[name] = dict(zip(("kl", "agreement", "loss"), np.array(found).T))
    return sums


def interval(values: np.ndarray, lengths: np.ndarray) -> tuple[float, float, float]:
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    means = values[draws].sum(1) / lengths[draws].sum(1)
    return values.sum() / lengths.sum(), *np.quantile(means, (0.025, 0.975))


def shown(value: tuple[float, float, float], scale: float, digits: int) -> str:
    mean, low, high = (scale * each for each in value)
    return f"{mean:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-new-tokens", type=int, default=128, help="of the answers to held-out prompts")
    options = parser.parse_args()
    if not (CHAT / "exported").exists():
        raise SystemExit("there is no chat student: run deploy/chat.sh first")
    conversations = rows(CHAT / "answers")
    seen = trained_on()
    held = [row for row in conversations if row["document"] not in seen]
    prompts = {row["document"]: row for row in map(json.loads, (CHAT / "prompts.jsonl").open(encoding="utf-8"))}
    train_on_own_answers(prompts, seen)
    held_out = CHAT / "held-out/prompts.jsonl"
    lines(held_out, (prompts[row["document"]] for row in held))

    tokenizer = AutoTokenizer.from_pretrained(CHAT / "exported")
    texts = [encoded(tokenizer, row["messages"]) for row in held]
    lengths = np.array([len(tokens) - begin for tokens, begin in texts])
    print(f"{cpu()}: {len(seen)} prompts trained on, {len(held)} held out with {lengths.sum()} tokens of the teacher's answers")
    written = {}
    for name, sums in compare(texts).items():
        written[name] = answers(name, MODELS[name], held_out, options.max_new_tokens)
        ended = sum(row["finish"] == "stop" for row in written[name].values())
        length = np.mean([len(row["tokens"]) for row in written[name].values()])
        print(f"{name}: KL {shown(interval(sums['kl'], lengths), 1, 3)} nats per token, top-1 agreement "
              f"{shown(interval(sums['agreement'], lengths), 100, 1)} %, perplexity {np.exp(interval(sums['loss'], lengths)[0]):.2f}; "
              f"ends {ended} of {len(written[name])} answers within {options.max_new_tokens} tokens, {length:.1f} tokens on average",
              flush=True)
    for document in sorted(row["document"] for row in held)[::max(1, len(held) // 3)][:3]:
        print(f"\n{prompts[document]['prompt']}\n  the text itself: {prompts[document]['completion']}")
        for name, theirs in written.items():
            print(f"  {name}: {theirs[document]['messages'][-1]['content']!r} [{theirs[document]['finish']}]")


if __name__ == "__main__":
    main()
