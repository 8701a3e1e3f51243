"""What the sizes in conf/ come to: a table of parameters, tokens/s and memory of training, as docs/models.md has it.

    python bench/student_sizes.py [--rounds 8] [--only 5m 20m]

Each of conf/student-*.conf trains by itself with the quickstart teacher's vocabulary, on random batches of 8 x 128 with 32 soft targets
a position; forward, backward, clipping and AdamW. Tokens/s are the median of the rounds, memory is the process's peak, Java's own
included. Needs torch and transformers, as student_speed.py does; compile the Java side as it says when it is not.
"""

import argparse
import re
import statistics
import tempfile
from pathlib import Path

import numpy as np
from peer import ROOT, cpu
from student_speed import ALPHA, Potstill, batch
from transformers import LlamaConfig

ROWS = 8
TIME = 128
FLOAT = 4


def shape(file: Path) -> dict[str, int]:
    """The file's student { ... }."""
    block = re.search(r"^student \{(.*?)^\}", file.read_text(), re.MULTILINE | re.DOTALL)
    return {key: int(value) for key, value in re.findall(r"^\s*([a-z-]+) = (\d+)$", block[1], re.MULTILINE)}


def config(of: dict[str, int], vocabulary: int) -> LlamaConfig:
    return LlamaConfig(vocab_size=vocabulary, hidden_size=of["hidden-size"], intermediate_size=of["intermediate-size"],
                       num_hidden_layers=of["layers"], num_attention_heads=of["heads"], num_key_value_heads=of["kv-heads"],
                       head_dim=of["hidden-size"] // of["heads"], max_position_embeddings=2048, tie_word_embeddings=True,
                       rms_norm_eps=1e-5, architectures=["LlamaForCausalLM"])


def train(file: Path, options: argparse.Namespace) -> tuple[int, float, int]:
    """Parameters, tokens/s, peak MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config(shape(file), options.vocabulary).save_pretrained(folder)
        student = Potstill(folder, options.threads, ALPHA)
        parameters = (folder / "model.safetensors").stat().st_size // FLOAT
        rng = np.random.default_rng(0)
        seconds = []
        for _ in range(options.warm_up + options.rounds):
            batch(rng, options.vocabulary, ROWS, TIME, folder / "batch")
            seconds.append(student.step(folder / "batch")[0])
        return parameters, ROWS * TIME / statistics.median(seconds[options.warm_up:]), student.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=49152)
    parser.add_argument("--only", nargs="*", metavar="SIZE", help="5m, 10m, ...")
    options = parser.parse_args()
    files = sorted(ROOT.glob("conf/student-*.conf"), key=lambda file: int(re.sub(r"\D", "", file.name)))
    print(f"{cpu()}, {options.threads} threads, vocabulary {options.vocabulary:,}, batches of {ROWS} x {TIME}\n")
    print("| | parameters, millions | layers x hidden | tokens/s | peak memory, MiB |\n|---|---:|---:|---:|---:|")
    for file in files:
        if not options.only or file.stem.removeprefix("student-") in options.only:
            parameters, speed, peak = train(file, options)
            of = shape(file)
            print(f"| `{file.stem}` | {parameters / 1e6:.1f} | {of['layers']} x {of['hidden-size']} | {speed:,.0f} | {peak:,} |", flush=True)


if __name__ == "__main__":
    main()
