"""Exports a finished student as GGUF and sets what llama.cpp makes of each file against Potstill's own engine on the same file
and against the student.

    python bench/gguf_parity.py STUDENT       # such as quickstart/student
    python bench/gguf_parity.py --families    # small random models of every family instead: nothing to train

Needs numpy, gguf, llama-cpp-python, and what `mvn package -DskipTests` builds. Exits with 1 where token ids differ, where
Potstill reads other weights out of a file than the gguf package, or where llama.cpp in F32 is further than 1e-3 from our logits
(it computes in another order; F16 and Q8_0 it also computes in, activations included, so there the distance is in nats).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1e-3
NATS = {"fp32": 1e-6, "f16": 1e-3, "q8_0": 2e-2}
TEXTS = ["Fellow citizens of the Senate and House of Representatives:", "The", "In the year 1999, 12 × 12 = 144; naïve café 日本.",
         "it's  two   spaces\n\nand\tlines\r\n", "We must act. " * 12, "<|im_start|> is spelt out"]


def java(main: str, *arguments: object) -> None:
    classes = [ROOT / "spark-jobs/target/test-classes", ROOT / "checkpoints/target/test-classes", ROOT / "spark-jobs/target/potstill.jar",
               ROOT / "deploy/local-spark/target/spark/jars/*"]
    subprocess.run(["java", "-cp", os.pathsep.join(map(str, classes)), main, *map(str, arguments)], check=True,
                   stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def potstill(*arguments: str) -> str:
    done = subprocess.run([ROOT / "deploy/potstill", *arguments], capture_output=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode())
    return done.stdout.decode()


def ours(model: Path, sequences: list[list[int]], vocabulary: int, folder: Path) -> list[np.ndarray]:
    (folder / "ids").write_text("\n".join(" ".join(map(str, s)) for s in sequences) + "\n")
    java("org.potstill.spark.export.StudentLogits", model, folder / "ids", folder / "logits", folder / "scratch")
    rows = np.fromfile(folder / "logits", "<f4").reshape(-1, vocabulary)
    return np.split(rows, np.cumsum([len(s) for s in sequences])[:-1])


class LlamaCpp:
    """llama.cpp on a file, keys and values in single precision."""

    def __init__(self, file: Path):
        self.model = llama_cpp.Llama(str(file), n_ctx=256, n_batch=256, logits_all=True, verbose=False, n_threads=2, type_k=0, type_v=0,
                                     flash_attn=False)

    def ids(self, text: str) -> list[int]:
        return self.model.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self, ids: list[int]) -> np.ndarray:
        self.model.reset()
        self.model.eval(ids)
        return self.model.scores[:len(ids)].copy()


def nats(teacher: np.ndarray, student: np.ndarray) -> float:
    p, q = (x.astype(np.float64) - x.max(-1, keepdims=True) for x in (teacher, student))
    p, q = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (p, q))
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def compare(file: Path, precision: str, sequences: list[list[int]], folder: Path, student: list[np.ndarray] | None) -> list[str]:
    theirs = LlamaCpp(file)
    rows = theirs.model.n_vocab()
    if student is None:
        generator = np.random.default_rng(1)
        sequences = [generator.integers(1, 256, n).tolist() for n in (1, 7, 39)]
    own = ours(file, sequences, rows, folder)
    logits = [theirs.logits(ids) for ids in sequences]
    worst = max(float(np.abs(a - b).max()) for a, b in zip(own, logits))
    apart = nats(np.concatenate(own), np.concatenate(logits))
    line = f"{file.name}: llama.cpp's logits within {worst:.1e} of ours on the same file, KL {apart:.1e}"
    if student is not None:
        line += f"; KL to the student: ours {nats(np.concatenate(student), np.concatenate(own)):.1e}," \
                f" llama.cpp's {nats(np.concatenate(student), np.concatenate(logits)):.1e}"
    print(line)
    failed = []
    if not apart <= NATS[precision] or precision == "fp32" and not worst <= LIMIT:
        failed.append(f"{file.name}: logits")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", type=Path, nargs="?")
    parser.add_argument("--families", action="store_true")
    arguments = parser.parse_args()
    if arguments.families == (arguments.student is not None):
        parser.error("give a student or --families")
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.families:
            java("org.potstill.checkpoints.Families", folder)
            for file in sorted(folder.glob("*.gguf")):
                if file.stem != "source":
                    failed += compare(file, "fp32", [], folder, None)
        else:
            failed += of_student(arguments.student, folder)
    sys.exit(f"failed: {failed}" if failed else 0)


def of_student(student: Path, folder: Path) -> list[str]:
    from transformers import AutoTokenizer

    failed = []
    settings = ["--set", f"student.path={student}", "--set", f"teacher.scratch={folder}/scratch"]
    potstill("export", *settings, "--to", "hf", "--output", str(folder / "hf"))
    tokenizer = AutoTokenizer.from_pretrained(folder / "hf")
    sequences = [tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids for text in TEXTS]
    own = None
    for precision in NATS:
        file = folder / f"student-{precision}.gguf"
        print(potstill("export", *settings, "--to", "gguf", "--precision", precision, "--output", str(file)).strip())
        theirs = LlamaCpp(file)
        for text, ids in zip(TEXTS, sequences):
            if theirs.ids(text) != ids:
                failed.append(f"token ids of {text!r}: {theirs.ids(text)}, not {ids}")
        ends = {i for i in range(theirs.model.n_vocab()) if llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(theirs.model.model), i)}
        print(f"{file.name}: {os.path.getsize(file):,} bytes; llama.cpp ends texts at {sorted(ends)}, "
              f"the tokenizer's end is {tokenizer.eos_token_id}")
        own = own or ours(student, sequences, theirs.model.n_vocab(), folder)
        failed += compare(file, precision, sequences, folder, own) + quantised_as_ggml(file, folder / "student-fp32.gguf")
    return failed


def quantised_as_ggml(file: Path, exact: Path) -> list[str]:
    """Whether each tensor's bytes are those that the gguf package makes of the exact ones."""
    source = {tensor.name: tensor for tensor in gguf.GGUFReader(exact).tensors}
    return [f"{file.name}: bytes of {tensor.name}" for tensor in gguf.GGUFReader(file).tensors
            if not np.array_equal(gguf.quants.quantize(np.array(source[tensor.name].data, np.float32), tensor.tensor_type).view(np.uint8).ravel(),
                                  np.array(tensor.data).view(np.uint8).ravel())]


if __name__ == "__main__":
    main()
