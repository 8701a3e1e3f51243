"""Exports a finished student and sets what transformers and ONNX Runtime make of it against the student itself.

    python bench/export_parity.py STUDENT      # such as quickstart/student

Needs torch, transformers, onnxruntime, and what `mvn package -DskipTests` builds. Exits with 1 where logits are further apart
than 1e-4, or where greedy texts differ although no two tokens were nearly as probable.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1e-4
NEW_TOKENS = 24
PROMPTS = ["Fellow citizens of the Senate and House of Representatives:", "The", "In the year 1999, 12 × 12 = 144; naïve café 日本.",
           "We must act. " * 12]


def potstill(*arguments: str) -> str:
    done = subprocess.run([ROOT / "deploy/potstill", *arguments], capture_output=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode())
    return done.stdout.decode()


def students_own(student: Path, sequences: list[list[int]], vocabulary: int, folder: Path) -> list[np.ndarray]:
    (folder / "ids").write_text("\n".join(" ".join(map(str, s)) for s in sequences) + "\n")
    classes = [ROOT / "spark-jobs/target/test-classes", ROOT / "spark-jobs/target/potstill.jar", ROOT / "deploy/local-spark/target/spark/jars/*"]
    subprocess.run(["java", "-cp", os.pathsep.join(map(str, classes)), "org.potstill.spark.export.StudentLogits", student, folder / "ids",
                    folder / "logits"], check=True, stderr=subprocess.DEVNULL)
    rows = np.fromfile(folder / "logits", "<f4").reshape(-1, vocabulary)
    return np.split(rows, np.cumsum([len(s) for s in sequences])[:-1])


class Onnx:
    """The exported graph and what it remembers."""

    def __init__(self, file: Path):
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.forget()

    def forget(self, batch: int = 1) -> None:
        self.past = {i.name: np.zeros((batch, i.shape[1], 0, i.shape[3]), np.float32)
                     for i in self.session.get_inputs() if i.name.startswith("past_key_values")}
        self.mask = np.zeros((batch, 0), np.int64)

    def read(self, ids: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """[batch, time, V]"""
        self.mask = np.concatenate([self.mask, np.ones_like(ids) if mask is None else mask], 1)
        positions = np.maximum(self.mask.cumsum(1) - 1, 0)[:, -ids.shape[1]:]
        given = self.session.run(None, {"input_ids": ids, "attention_mask": self.mask, "position_ids": positions, **self.past})
        given = dict(zip(self.outputs, given))
        self.past = {name: given[name.replace("past_key_values", "present")] for name in self.past}
        return given["logits"]


def greedy(read, ids: list[int], end: int | None) -> tuple[list[int], float]:
    """The new tokens, and by how much the least certain of them was ahead of the next best."""
    new, margin = [], float("inf")
    logits = read(ids)
    while len(new) < NEW_TOKENS:
        best = np.partition(logits, -2)[-2:]
        margin = min(margin, float(best[1] - best[0]))
        new.append(int(logits.argmax()))
        if new[-1] == end:
            break
        logits = read(new[-1:])
    return new, margin


def parity(student: Path, texts: bool = True) -> list[str]:
    """Prints how far the exports are from the student; what failed. texts: whether to compare greedy texts, too."""
    worst, failed = {}, []

    def compare(what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
        worst[what] = max(worst.get(what, 0), float(np.abs(ours - theirs).max()))

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for kind in ("hf", "onnx"):
            potstill("export", "--set", f"student.path={student}", "--to", kind, "--output", str(folder / kind))
        tokenizer = AutoTokenizer.from_pretrained(folder / "hf")
        models = {"transformers": folder / "hf", "transformers, of the student's own folder": student}
        models = {what: AutoModelForCausalLM.from_pretrained(path).eval() for what, path in models.items()}
        model = models["transformers"]
        onnx = Onnx(folder / "onnx/model.onnx")
        end = tokenizer.eos_token_id
        sequences = [tokenizer(prompt).input_ids for prompt in PROMPTS]
        for prompt, ids, ours in zip(PROMPTS, sequences, students_own(student, sequences, model.config.vocab_size, folder)):
            batch = np.array([ids])
            for what, theirs in models.items():
                with torch.no_grad():
                    compare(what, ours, theirs(torch.tensor(batch)).logits[0].numpy())
            onnx.forget()
            compare("ONNX Runtime, whole", ours, onnx.read(batch)[0])
            onnx.forget()
            compare("ONNX Runtime, token by token", ours, np.concatenate([onnx.read(batch[:, t:t + 1])[0] for t in range(len(ids))]))
            onnx.forget(2)
            padded = np.array([[0] * 5 + ids, [1] * 5 + ids])
            mask = np.array([[0] * 5 + [1] * len(ids), [1] * (5 + len(ids))])
            compare("ONNX Runtime, padded on the left", ours, onnx.read(padded, mask)[0, 5:])
            if not texts:
                continue

            onnx.forget()
            new, margin = greedy(lambda more: onnx.read(np.array([more]))[0, -1], ids, end)
            with torch.no_grad():
                theirs = model.generate(torch.tensor(batch), max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)[0, len(ids):].tolist()
            text = tokenizer.decode([t for t in new if t != end])
            written = [potstill("generate", "--set", f"teacher.scratch={folder}/scratch", "--model", str(path), "--prompt", prompt,
                                "--temperature", "0", "--max-new-tokens", str(NEW_TOKENS))[:-1] for path in (student, folder / "hf")]
            same = theirs == new and written == [text, text]
            print(f"{len(ids)} tokens: {text!r}: {'the same everywhere' if same else f'{theirs} {new} {written}'}; least margin {margin:.1e}")
            if not same and margin > LIMIT:
                failed.append("texts differ")
        print(f"{type(model).__name__}, {model.num_parameters():,} parameters")
    for what, difference in worst.items():
        print(f"{what}: logits within {difference:.1e} of the student's")
        if not difference <= LIMIT:
            failed.append(what)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", type=Path)
    failed = parity(parser.parse_args().student)
    sys.exit(f"failed: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
