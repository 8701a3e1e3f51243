"""Answers a multiple-choice task with a finished student, in Potstill and in lm-eval, and compares the figures.

    python bench/task_parity.py CONF      # such as conf/quickstart.conf, after potstill train

Exports the student for transformers, makes a small task file, has `potstill evaluate` and lm-evaluation-harness (its `hf` model, fp32,
on the CPU) answer it, and prints accuracy by sum (lm-eval's acc) and per byte (its acc_bytes) of both. Exits with 1 where they
differ. Needs lm_eval, torch and transformers, and what `mvn package -DskipTests` builds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
ROOT = Path(__file__).resolve().parent.parent
CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Japan": "Tokyo", "Egypt": "Cairo", "Norway": "Oslo", "Peru": "Lima",
            "Austria": "Vienna", "Brazil": "Brasília", "Colombia": "Bogotá", "Paraguay": "Asunción", "Iceland": "Reykjavík"}
OPPOSITES = {"hot": "cold", "big": "small", "early": "late", "rich": "poor", "open": "closed", "full": "empty", "war": "peace", "old": "young"}
SENTENCES = ["I am honoured to report that the state of our union is", "We must do more to help working families pay for",
             "The Congress should now pass a law that would", "Tonight we remember the men and women who", "Let us work together to"]
ENDINGS = ["strong.", "banana the of.", "health care and school.", "purple seventeen.", "protect our children.",
           "gave their lives for their country."]


def questions() -> list[dict]:
    """Choices of unequal lengths, some outside ASCII; contexts that end in white space, are long, or empty."""
    made = []
    capitals = list(CAPITALS.values())
    for i, (country, capital) in enumerate(CAPITALS.items()):
        choices = [capitals[(i + k) % len(capitals)] for k in range(4)]
        choices = choices[i % 4:] + choices[:i % 4]
        made.append({"context": f"The capital of {country} is", "choices": choices, "answer": choices.index(capital)})
        made.append({"context": f"Question: What is the capital of {country}?\nAnswer:" + " \n\u00a0"[:i % 4],
                     "choices": [f"It is {c}, as everyone in {country} knows." if c == capital else c for c in choices],
                     "answer": choices.index(capital)})
    words = list(OPPOSITES.items())
    for i, (word, opposite) in enumerate(words):
        choices = [opposite, words[(i + 1) % len(words)][1], words[(i + 3) % len(words)][0] + "er than that"]
        made.append({"context": f"The opposite of {word} is ", "choices": choices, "answer": opposite})
    for i, sentence in enumerate(SENTENCES):
        for k in range(4):
            choices = [ENDINGS[(i + k) % 6], ENDINGS[(i + k + 1) % 6], ENDINGS[(i + k + 3) % 6]]
            made.append({"context": sentence, "choices": choices, "answer": k % 3})
        # Longer than a student of 256 positions reads.
        made.append({"context": (sentence + " " + ENDINGS[i] + " ") * 24 + sentence, "choices": choices, "answer": (i + 1) % 3})
    for i in range(4):
        made.append({"context": "", "choices": [SENTENCES[i], SENTENCES[i + 1], "zq xv"], "answer": i % 3})
    return made


def potstill(*arguments: str) -> None:
    done = subprocess.run([ROOT / "deploy/potstill", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode())


def ours(conf: str, task: Path, folder: Path) -> dict:
    potstill("evaluate", "--conf", conf, "--set", f"evaluate.tasks.parity={task}", "--set", f"report.path={folder / 'report'}",
             "--set", "evaluate.speed-tokens=0", "--set", "evaluate.ngrams=false", "--set", "evaluate.max-tokens=1",
             "--set", "evaluate.precision=fp32")
    answers = json.loads((folder / "report/report.json").read_text())["evaluate"]["tasks"]["parity"]["student"]
    return {"acc": answers["accuracy"], "acc_bytes": answers["normalisedAccuracy"], "acc_stderr": answers["accuracyError"]}


def theirs(conf: str, task: Path, folder: Path) -> dict:
    potstill("export", "--conf", conf, "--to", "hf", "--output", folder / "export")
    import lm_eval
    from lm_eval.tasks import TaskManager
    (folder / "tasks").mkdir()
    (folder / "tasks/parity.yaml").write_text(json.dumps({
        "task": "parity", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(task)}}, "output_type": "multiple_choice",
        "test_split": "test", "doc_to_text": "context", "doc_to_choice": "choices", "doc_to_target": "answer",
        "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_bytes")]}))
    results = lm_eval.simple_evaluate(model="hf", model_args={"pretrained": str(folder / "export"), "dtype": "float32"}, tasks=["parity"],
                                      device="cpu", batch_size=1, bootstrap_iters=0,
                                      task_manager=TaskManager(include_path=str(folder / "tasks"), include_defaults=False))
    figures = results["results"]["parity"]
    return {"acc": figures["acc,none"], "acc_bytes": figures["acc_bytes,none"], "acc_stderr": figures.get("acc_stderr,none")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("conf", metavar="CONF", help="the settings that the student was trained with")
    conf = parser.parse_args().conf
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets")
        made = questions()
        # Answers as numbers for lm-eval; Potstill takes their texts, too, and is given them where they were made so.
        task, numbered = folder / "task.jsonl", folder / "numbered.jsonl"
        task.write_text("".join(json.dumps(q) + "\n" for q in made))
        numbers = [q["answer"] if isinstance(q["answer"], int) else q["choices"].index(q["answer"]) for q in made]
        numbered.write_text("".join(json.dumps(q | {"answer": n}) + "\n" for q, n in zip(made, numbers)))
        a, b = ours(conf, task, folder), theirs(conf, numbered, folder)
    print(f"{len(made)} questions         acc   acc_bytes")
    print(f"potstill evaluate  {a['acc']:9.6f}   {a['acc_bytes']:9.6f}")
    print(f"lm-eval            {b['acc']:9.6f}   {b['acc_bytes']:9.6f}")
    same = all(abs(a[key] - b[key]) < 1e-9 for key in ("acc", "acc_bytes"))
    print("the same" if same else "they differ")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
