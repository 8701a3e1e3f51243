"""Layers as `potstill prune` chooses them against evenly spaced ones and the first ones: the same healing, three seeds.

    python bench/pruning.py MODEL.gguf CORPUS [--layers 18] [--seeds 1 2 3]
    python bench/pruning.py --tiny

Holds out some of the corpus's documents, prunes the model on the others, labels those once (50 draws per position), and trains a
student from each start with each seed (train.seed: the order of training) on the same cached labels: forward KL with alpha 0.9,
learning rate 3e-4 falling to 3e-5, one epoch, one worker with all threads. --set replaces or adds settings of the training.
Perplexity, KL(teacher || student), top-1 agreement and ECE are measured on the held-out documents over whole distributions, in fp32,
before and after the healing, and given as means over the seeds with standard deviations. Goal: the pruned student's perplexity
after healing is at least 30 % lower than either other's, for the mean over the seeds of each seed's ratio.

It also times the greedy removal of ten layers over 1,024 positions, from the seconds of each removal in the pruned folder's
provenance.json. Goal: at most 5 minutes on 2 cores.

Needs torch, transformers, accelerate, gguf and matplotlib, the application (mvn -q package -DskipTests), and the Java side of the
comparisons, compiled as it says when it is not. With the quickstart's model and corpus (some 120,000 tokens) it takes about 45
minutes on 2 quiet cores. What is done stays in --scratch, and a run with the same arguments goes on from there; give other settings
another --scratch. Tables and a plot go to --output.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import matplotlib
from healing import (FIGURES, TINY_LAYERS, Harness, bf16_or_fp32, cells, commit, cut, documents, evenly_spaced, parameters, sequences,
                     split, spread, table, tiny, whole)
from peer import ROOT, cpu, label, potstill

matplotlib.use("Agg")
from matplotlib import pyplot

PRUNED = "prune"
TARGETS = {"targets.k": 0, "targets.draws": 50}
# As conf/quickstart.conf trains.
HEALING = {"train.epochs": 1, "train.alpha": 0.9, "train.learning-rate": 3e-4, "train.min-learning-rate": 3e-5, "train.batch-size": 4,
           "train.workers": 1, "train.precision": "auto"}
CALIBRATION = 1024
REMOVED = 10
MAX_SECONDS = 300
MAX_RATIO = 0.7


class Bench:
    def __init__(self, options):
        self.options = options
        # Of a local master, whose one process holds a student's state six times.
        os.environ.setdefault("POTSTILL_MEMORY", "8g")
        train, self.held_out = split(documents(options.corpus), options.holdout)
        self.corpus = options.scratch / "corpus"
        self.corpus.mkdir(parents=True, exist_ok=True)
        for file in train:
            shutil.copyfile(file, self.corpus / file.name)
        # All documents of this corpus are for training: the held-out ones stay here.
        self.settings = {"corpus.path": self.corpus, "corpus.holdout": 0, "teacher.path": options.model.resolve(),
                         "teacher.scratch": options.scratch / "teacher", "cache.path": options.scratch / "cache",
                         "sequence-length": options.length, "spark.master": f'"local[{options.threads}]"'}

    def potstill(self, command: str, settings: dict) -> None:
        log = self.options.scratch / f"{command}.log"
        try:
            with log.open("w") as file:
                potstill(command, {**self.settings, **settings}, stdout=file, stderr=subprocess.STDOUT)
        except subprocess.CalledProcessError:
            raise SystemExit(f"potstill {command} failed:\n{log.read_text()[-3000:]}") from None

    def prune(self, layers: int) -> tuple[Path, dict]:
        folder = self.options.scratch / f"pruned-{layers}"
        self.potstill("prune", {"prune.path": folder, "prune.layers": layers, "prune.calibration-tokens": CALIBRATION})
        return folder, json.loads((folder / "provenance.json").read_text())["pruning"]

    def start(self, name: str, model, layers: list[int], pruned: Path) -> Path:
        """A folder of these layers that differs from the pruned one in the choice of layers alone."""
        folder = self.options.scratch / f"start-{name.replace(' ', '-')}"
        cut(model, layers, folder)
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(pruned / file, folder / file)
        return folder

    def heal(self, name: str, start: Path, seed: int) -> tuple[Path, dict]:
        folder = self.options.scratch / f"student-{name.replace(' ', '-')}-{seed}"
        self.potstill("train", {**TARGETS, **HEALING, "spark.task.cpus": self.options.threads, **self.options.set, "student.init": start,
                                "student.path": folder, "train.seed": seed})
        return folder, json.loads((folder / "provenance.json").read_text())["training"]


def plot(starts: dict, healed: dict, teacher: dict, file: Path) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3), sharey=True, layout="constrained")
    for axis, key in zip(axes, ("perplexity", "kl")):
        title, scale, _ = FIGURES[key]
        for place, name in enumerate(starts):
            values = [scale * each[key] for each in healed[name]]
            axis.plot(scale * starts[name][key], place, "o", color="grey", label="before healing" if place == 0 else None)
            axis.errorbar(spread(values)[0], place, xerr=spread(values)[1], fmt="o", color="tab:blue", capsize=3,
                          label="after, mean and standard deviation" if place == 0 else None)
        if key == "perplexity":
            axis.axvline(teacher[key], color="grey", linestyle=":", label="teacher")
            axis.set_xscale("log")
        axis.set_xlabel(f"{title}, logarithmic" if key == "perplexity" else title)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(starts)), list(starts))
    axes[0].invert_yaxis()
    axes[0].margins(y=0.2)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize="small")
    figure.savefig(file, dpi=130)


def run(options) -> None:
    begin = time.perf_counter()

    def tell(text: str) -> None:
        print(f"[{(time.perf_counter() - begin) / 60:5.1f} min] {text}", flush=True)

    print(f"{cpu()}, {options.threads} threads, {bf16_or_fp32()}, commit {commit()}")
    bench = Bench(options)
    pruned, pruning = bench.prune(options.layers)
    kept, there = pruning["kept"], pruning["before"]["layers"]
    tell(f"prune kept layers {', '.join(map(str, kept))} of {there}, {parameters(pruned):,} parameters, at a KL of {pruning['kl']:.3f}, "
         f"in {pruning['seconds']:.0f} s")
    timed = pruning if options.layers == there - options.removed else bench.prune(there - options.removed)[1]
    seconds = sum(removal["seconds"] for removal in timed["removals"])
    tell(f"greedy removal of {options.removed} layers over {timed['positions']} positions: {seconds:.0f} s")
    summary = label(options.scratch, {**bench.settings, **TARGETS})
    tell(f"labels: {summary['corpus']['positions']:,} tokens, {summary['scoredTokens']:,} of them scored in {summary['seconds']:.0f} s")

    model = whole(options.model)
    starts = {PRUNED: pruned, "evenly spaced": bench.start("evenly spaced", model, evenly_spaced(there, options.layers), pruned),
              "first": bench.start("first", model, list(range(options.layers)), pruned)}
    del model
    judge = sequences(options.model, bench.held_out, options.length, options.holdout_tokens, 0)
    harness = Harness(options.model, options.scratch, [], judge, [], options.threads)
    teacher = harness.teacher(json.loads((pruned / "config.json").read_text())["vocab_size"])
    before = {name: harness.evaluate(folder) for name, folder in starts.items()}
    healed: dict = {name: [] for name in starts}
    for seed in options.seeds:
        for name, folder in starts.items():
            student, training = bench.heal(name, folder, seed)
            scores = harness.evaluate(student) | {"seed": seed, "tokens": training["positions"], "seconds": training["seconds"]}
            healed[name].append(scores)
            tell(f"seed {seed}, {name}: trained at {scores['tokens'] / scores['seconds']:.0f} tokens/s; "
                 f"perplexity {before[name]['perplexity']:,.1f} before and {scores['perplexity']:.2f} after, "
                 f"KL {before[name]['kl']:.3f} and {scores['kl']:.4f}")
    harness.close()

    ratios = {name: [a["perplexity"] / b["perplexity"] for a, b in zip(healed[PRUNED], healed[name])]
              for name in starts if name != PRUNED}
    lines = [f"{options.layers} of {there} layers, {len(options.seeds)} seeds, mean ± standard deviation; "
             f"{len(judge) * options.length:,} held-out tokens of {len(bench.held_out)} documents", ""]
    lines += table([["", *(text for text, _, _ in FIGURES.values())], ["teacher", *cells([teacher])],
                    *([f"{name}, before", *cells([before[name]])] for name in starts),
                    *([f"{name}, healed", *cells(healed[name])] for name in starts)])
    goals: dict = {}
    lines.append("")
    for name, values in ratios.items():
        mean, deviation = spread(values)
        goals[f"perplexity_ratio_{name}"] = {"value": mean, "by_seed": values, "goal": MAX_RATIO, "met": mean <= MAX_RATIO}
        lines.append(f"perplexity is {100 * (1 - mean):.1f} % (± {100 * deviation:.1f}) lower than with layers chosen as '{name}': "
                     f"the goal, {100 * (1 - MAX_RATIO):.0f} %, is {'met' if mean <= MAX_RATIO else 'missed'}")
    seconds = sum(removal["seconds"] for removal in timed["removals"])
    goals["removal_seconds"] = {"value": seconds, "layers": options.removed, "positions": timed["positions"], "goal": MAX_SECONDS,
                                "met": seconds <= MAX_SECONDS}
    lines.append(f"greedy removal of {options.removed} layers over {timed['positions']} positions took {seconds:.0f} s: the goal, "
                 f"{MAX_SECONDS} s, is {'met' if seconds <= MAX_SECONDS else 'missed'}")
    print("\n" + "\n".join(lines))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "pruning.txt").write_text("\n".join(lines) + "\n")
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    (options.output / "pruning.json").write_text(json.dumps({
        "machine": cpu(), "commit": commit(), "precision": bf16_or_fp32(), "settings": settings, "healing": {**HEALING, **options.set},
        "pruning": pruning, "timed_pruning": timed, "teacher": teacher, "before": before, "healed": healed, "ratios": ratios,
        "goals": goals}, indent=2) + "\n")
    plot(before, healed, teacher, options.output / "pruning.png")
    print(f"\n{options.output}/pruning.txt, pruning.json, pruning.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?",
                        help="the teacher: a GGUF file or Hugging Face folder of a Llama with tied embeddings")
    parser.add_argument("corpus", type=Path, nargs="?", help="a folder of text files, one document each")
    parser.add_argument("--layers", type=int, default=18, help="to keep")
    parser.add_argument("--removed", type=int, default=REMOVED, help="layers of the removal that is timed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--holdout", type=float, default=0.15, help="share of documents held out")
    parser.add_argument("--holdout-tokens", type=int, default=8192)
    parser.add_argument("--length", type=int, default=256, help="tokens per sequence")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="rehearse with a random model and a corpus that are made for it")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "potstill-pruning")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/target/pruning")
    options = parser.parse_args()
    options.scratch = options.scratch.resolve()
    options.set = dict(each.split("=", 1) for each in options.set)
    if options.tiny:
        options.scratch = options.scratch / "tiny"
        options.model, options.corpus = tiny(options.scratch)
        options.layers, options.removed, options.length, options.holdout_tokens = TINY_LAYERS // 2, 3, 64, 2048
        options.seeds = options.seeds[:2]
        options.output = options.output / "tiny"
    if not options.model or not options.corpus:
        parser.error("give a model and a corpus, or --tiny")
    run(options)


if __name__ == "__main__":
    main()
