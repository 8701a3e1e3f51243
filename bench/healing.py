"""What quality.py and pruning.py share: the text and its split, students to begin with, and the Java processes that score and train."""

import hashlib
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from peer import ROOT, java, tokenizer, transformers_model
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

sys.path.append(str(ROOT / "bench/fixtures"))
from tiny_tokenizers import qwen

disable_progress_bar()
TINY_LAYERS = 8
TINY_VOCABULARY = 512
# Of QualityBenchmark: what a figure is called, its scale and its format.
FIGURES = {"perplexity": ("perplexity", 1, ".2f"), "kl": ("KL, nats/token", 1, ".4f"), "agreement": ("agreement, %", 100, ".2f"),
           "ece": ("ECE, %", 100, ".2f")}


def spread(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def cells(scores: list[dict]) -> list[str]:
    """Of a row of a table: each of FIGURES over some models."""
    texts = []
    for figure, (_, scale, form) in FIGURES.items():
        mean, deviation = spread([scale * each[figure] for each in scores])
        texts.append(f"{mean:,{form}} ± {deviation:,{form}}" if len(scores) > 1 else f"{mean:,{form}}")
    return texts


def table(rows: list[list[str]]) -> list[str]:
    """Lines of text; the first row holds the heads."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def documents(corpus: Path) -> list[Path]:
    files = sorted(corpus.glob("*.txt"))
    if len(files) < 2:
        raise SystemExit(f"{corpus} holds {len(files)} text files: two are needed, one of them to evaluate on")
    return files


def split(files: list[Path], share: float) -> tuple[list[Path], list[Path]]:
    """Documents to train on and documents held out, drawn by their content, so that the order of files does not matter."""
    drawn = sorted(files, key=lambda file: hashlib.sha256(file.read_bytes()).digest())
    held_out = max(1, round(share * len(files)))
    return drawn[held_out:], drawn[:held_out]


def sequences(model: Path, files: list[Path], length: int, limit: int, seed: int) -> list[list[int]]:
    """Sequences of length + 1 tokens in random order, until they predict limit tokens; the rest of a document is left out."""
    encode = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json")) if model.is_dir() else tokenizer(model)
    cut = []
    for file in files:
        ids = encode(file.read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]
        cut += [ids[i:i + length + 1] for i in range(0, len(ids) - length, length)]
    random.Random(seed).shuffle(cut)
    if len(cut) * length < limit:
        raise SystemExit(f"{len(files)} documents hold {len(cut)} sequences of {length} tokens, and {limit} tokens are wanted: "
                         "give more text")
    return cut[:limit // length]


def evenly_spaced(of: int, wanted: int) -> list[int]:
    """The first, the last, and between them as evenly as whole numbers allow."""
    return [0] if wanted == 1 else [int(i * (of - 1) / (wanted - 1) + 0.5) for i in range(wanted)]


def whole(model: Path) -> LlamaForCausalLM:
    if model.is_dir():
        return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    return transformers_model(model, torch.float32)


def cut(model: LlamaForCausalLM, layers: list[int], folder: Path) -> None:
    """Writes a model of some of a model's layers."""
    config = type(model.config).from_dict({**model.config.to_dict(), "num_hidden_layers": len(layers)})
    config.architectures = ["LlamaForCausalLM"]
    rest = type(model)(config)
    weights = model.state_dict()
    rest.load_state_dict({name: weights[re.sub(r"(?<=^model\.layers\.)\d+", lambda found: str(layers[int(found[0])]), name)]
                          for name in rest.state_dict()})
    rest.save_pretrained(folder)


def parameters(folder: Path) -> int:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        return sum(torch.Size(weights.get_slice(name).get_shape()).numel() for name in weights.keys())  # noqa: SIM118, no dict


def bf16_or_fp32() -> str:
    return "bf16" if "avx512_bf16" in Path("/proc/cpuinfo").read_text() else "fp32"


class Harness:
    """The teacher's distributions over sequences, and a Java process that trains and evaluates students on them."""

    def __init__(self, model: Path, scratch: Path, train: list[list[int]], held_out: list[list[int]], specs: list[str], threads: int,
                 memory: str = "2600m"):
        self.folder = scratch / "targets"
        self.tokens = sum(len(s) - 1 for s in train + held_out)
        lines = "".join(" ".join(map(str, s)) + "\n" for s in train + held_out)
        file = self.folder / "sequences"
        done = self.folder / "done.json"
        stands_for = [hashlib.sha256(lines.encode()).hexdigest(), str(model.resolve()), *specs]
        known = json.loads(done.read_text()) if done.exists() else {}
        if known.get("stands_for") != stands_for:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            file.write_text(lines)
            known = {"stands_for": stands_for, "seconds": self.label(model, scratch / "teacher", file, specs, threads)}
            done.write_text(json.dumps(known))
        self.label_seconds = known["seconds"]
        # Most of the heap for what is large and old: the arrays of a batch of whole distributions take up to 2 GiB.
        self.process = java("org.potstill.student.QualityBenchmark", threads, bf16_or_fp32().upper(), self.folder, file, len(train),
                            jvm=(f"-Xmx{memory}", "-XX:+UseParallelGC", "-XX:NewRatio=5"), module="student-model")
        self.read()

    def label(self, model: Path, scratch: Path, file: Path, specs: list[str], threads: int) -> float:
        """Seconds in the teacher's forward pass."""
        process = java("org.potstill.teacher.TargetsDump", model, scratch, threads, file, self.folder, *specs, jvm=("-Xmx2g",))
        count = sum(1 for _ in file.open())
        last = ""
        for line in process.stdout:
            last = line.strip()
            if "." not in last:
                progress(f"teacher: {last} of {count} sequences")
        if process.wait() != 0 or "." not in last:
            raise SystemExit("the teacher did not score the text; its message is above")
        progress()
        return float(last)

    def read(self) -> str:
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit("the student's process ended; its message is above")
        return line

    def ask(self, *words) -> str:
        print(*words, sep="\t", file=self.process.stdin, flush=True)
        return self.read()

    def evaluate(self, folder: Path) -> dict[str, float]:
        return json.loads(self.ask("evaluate", folder))

    def teacher(self, vocabulary: int) -> dict[str, float]:
        return json.loads(self.ask("teacher", vocabulary))

    def close(self) -> int:
        """Peak memory in MiB."""
        self.process.stdin.close()
        peak = int(self.read()) // 1024
        self.process.wait()
        return peak


def progress(text: str = "") -> None:
    """On one line of a terminal, and nowhere else; without a text the line is cleared."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def commit() -> str:
    said = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def tiny(scratch: Path) -> tuple[Path, Path]:
    """A random teacher of 8 layers and a corpus, made once: to rehearse a run."""
    model, corpus = scratch / "tiny-teacher", scratch / "tiny-corpus"
    if not (model / "tokenizer.json").exists():
        torch.manual_seed(1)
        random_model = LlamaForCausalLM(LlamaConfig(
            hidden_size=64, num_hidden_layers=TINY_LAYERS, num_attention_heads=4, num_key_value_heads=2, intermediate_size=128,
            vocab_size=TINY_VOCABULARY, max_position_embeddings=512, tie_word_embeddings=True))
        for name, value in random_model.named_parameters():
            # Logits spread as a trained model's do, so that top-1 tokens are choices.
            spread = 0.1 if value.dim() == 1 else 3 * 64 ** -0.5 if "embed" in name else value.shape[1] ** -0.5
            value.data = torch.randn_like(value) * spread + (1 if value.dim() == 1 else 0)
        random_model.save_pretrained(model)
        qwen().save(str(model / "tokenizer.json"))
    if not corpus.exists():
        draw = random.Random(3)
        incoming = scratch / "tiny-incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 9))) for _ in range(300)]
        for number in range(12):
            (incoming / f"{number:02}.txt").write_text(" ".join(draw.choices(words, k=500)))
        incoming.rename(corpus)
    return model, corpus
