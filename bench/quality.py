"""What the choice of soft targets is worth: students of five objectives from the same start, on the same tokens, three seeds.

    python bench/quality.py MODEL.gguf CORPUS [--init PRUNED] [--tokens 24576] [--holdout-tokens 8192] [--seeds 1 2 3]
    python bench/quality.py --tiny

    cross-entropy        the text alone
    top-50 renormalised  forward KL over the teacher's 50 most probable tokens, both sides made to sum to one over them
    top-50 with ghost    the same tokens, and one bucket for the mass of all others
    sampled-50           50 systematic draws from the teacher's distribution, drawn anew for each seed
    whole distribution   forward KL over the whole vocabulary: what the others stand for, and what no cache could hold

Reports perplexity, KL(teacher || student), top-1 agreement and ECE (15 bins, top-1 probability) on held-out documents, as means over
the seeds with standard deviations; and how far each objective comes of the way from cross-entropy to the whole distribution, seed by
seed: 100 % is as good as the whole distribution. Where cross-entropy ends lower with any seed there is no such way. A seed draws the
order of the training sequences, the same for all objectives, and the samples. Goals: sampled-50 within 3 % of the whole way in KL, and its
ECE within 0.1 percentage points of the whole distribution's.

Then once more at equal time: each objective takes as many steps as fit into the seconds that cross-entropy took for its tokens, at the
speeds that they have just shown (medians of the seeds), with a learning rate schedule of that length. Time is that of training steps alone:
the teacher's pass is left out for all objectives, also for the whole distribution, which would need the teacher in every epoch.

The start is --init, a folder such as `potstill prune` writes, or some of the teacher's layers (--layers): evenly spaced where that is a
number, else the ones listed. The default for SmolLM2-135M is the 18 layers that `potstill prune` keeps. The whole
distribution is trained with the product's classes, which carry it as targets with an id for every token: some 2.5 MiB of memory
per position of a batch for a vocabulary of 49,152 (batches of 4 x 256 take about 6 GiB in all).

With the defaults, SmolLM2-135M takes about 35 minutes on 2 quiet cores: a teacher pass over 32,768 tokens, 27 training runs of
24,576 tokens or the equivalent, and as many evaluations over 8,192. Needs torch, transformers, accelerate, gguf and matplotlib; compile
the Java side as it says when it is not. The teacher's distributions take 2 bytes per token and vocabulary entry in --scratch (3.2 GB
with the defaults) and are kept for the next run. Tables and a plot go to --output.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import matplotlib
from healing import (FIGURES, TINY_LAYERS, Harness, bf16_or_fp32, cells, commit, cut, documents, evenly_spaced, parameters, progress,
                     sequences, split, spread, table, tiny, whole)
from peer import ROOT, cpu

matplotlib.use("Agg")
from matplotlib import pyplot

# Of SmolLM2-135M's 30 layers, what potstill prune keeps, measured on 1,024 positions of State of the Union addresses.
CHOSEN = [0, 1, 2, 7, 8, 9, 10, 11, 19, 20, 21, 22, 23, 24, 25, 27, 28, 29]
CROSS_ENTROPY, SAMPLED, WHOLE = "cross-entropy", "sampled-50", "whole distribution"
# Name: targets, what stands for tokens that they leave out.
OBJECTIVES = {CROSS_ENTROPY: ("none", "GHOST"), "top-50 renormalised": ("top-50", "RENORMALISE"), "top-50 with ghost": ("top-50", "GHOST"),
              SAMPLED: ("systematic-50-seed-{seed}", "GHOST"), WHOLE: ("logits", "GHOST")}
WARM_UP_STEPS = 3


class Bench:
    def __init__(self, options, start: Path, harness: Harness):
        self.options, self.start, self.harness = options, start, harness
        self.student = options.scratch / "student"

    def train(self, objective: str, seed: int, steps: int) -> float:
        """Seconds of training steps; the student is then in self.student."""
        targets, tail = OBJECTIVES[objective]
        alpha = 0 if objective == CROSS_ENTROPY else self.options.alpha
        options = self.options
        return float(self.harness.ask("train", self.start, self.student, targets.format(seed=seed), tail, alpha, options.learning_rate,
                                      options.min_learning_rate, options.warm_up, seed, steps, options.batch))

    def run(self, objective: str, seed: int, steps: int) -> dict:
        seconds = self.train(objective, seed, steps)
        return {"seed": seed, "steps": steps, "tokens": steps * self.options.batch * self.options.length, "seconds": seconds,
                **self.harness.evaluate(self.student)}

    def runs(self, steps: dict[tuple[str, int], int], name: str) -> dict[str, list[dict]]:
        """One run for each objective and seed, seeds first, so that what the machine does meanwhile meets all objectives."""
        results: dict = {objective: [] for objective in OBJECTIVES}
        begin = time.perf_counter()
        for done, ((objective, seed), count) in enumerate(steps.items()):
            result = self.run(objective, seed, count)
            results[objective].append(result)
            left = (time.perf_counter() - begin) / (done + 1) * (len(steps) - done - 1)
            print(f"  {name}, seed {seed}, {objective}: {count} steps at {result['tokens'] / result['seconds']:.0f} tokens/s, "
                  f"perplexity {result['perplexity']:.2f}, KL {result['kl']:.4f}, ECE {100 * result['ece']:.2f} %; "
                  f"about {left / 60:.0f} min left", flush=True)
        return results


def way(results: dict[str, list[dict]], objective: str, figure: str, ends: dict[str, list[dict]]) -> list[float]:
    """For each seed, the share of the way from cross-entropy to the whole distribution, both in ends; none where it leads upwards."""
    distances = [begin[figure] - end[figure] for begin, end in zip(ends[CROSS_ENTROPY], ends[WHOLE])]
    if min(distances) <= 0:
        return []
    return [(begin[figure] - run[figure]) / distance
            for run, begin, distance in zip(results[objective], ends[CROSS_ENTROPY], distances)]


def compared(results: dict[str, list[dict]], ends: dict[str, list[dict]]) -> tuple[list[str], dict]:
    rows = [["objective", "tokens", "seconds", "tokens/s", *(label for label, _, _ in FIGURES.values()), "way in KL, %",
             "way in perplexity, %"]]
    summary: dict = {}
    for objective, runs in results.items():
        said: dict = {"tokens": statistics.mean(r["tokens"] for r in runs), "seconds": statistics.mean(r["seconds"] for r in runs)}
        row = [objective, f"{said['tokens']:,.0f}", f"{said['seconds']:.1f}", f"{said['tokens'] / said['seconds']:.0f}", *cells(runs)]
        said |= {figure: spread([r[figure] for r in runs]) for figure in FIGURES}
        for figure in ("kl", "perplexity"):
            shares = way(results, objective, figure, ends)
            said[f"way_{figure}"] = spread(shares) if shares else None
            row.append("{:.1f} ± {:.1f}".format(*(100 * value for value in spread(shares))) if shares else "none")
        rows.append(row)
        summary[objective] = said
    return table(rows), summary


def plot(equal_tokens: dict, equal_time: dict, teacher: dict, file: Path) -> None:
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8), sharey=True, layout="constrained")
    for axis, key in zip(axes, ("kl", "perplexity", "ece")):
        label, scale, _ = FIGURES[key]
        for results, name, marker, shift in ((equal_tokens, "same tokens", "o", -0.12), (equal_time, "same time", "D", 0.12)):
            for place, objective in enumerate(OBJECTIVES):
                runs = results.get(objective, [])
                values = [scale * r[key] for r in runs]
                if values:
                    mean, deviation = spread(values)
                    colour = "tab:blue" if marker == "o" else "tab:orange"
                    axis.errorbar(mean, place + shift, xerr=deviation, fmt=marker, color=colour, markersize=6, capsize=3,
                                  label=name if place == 0 else None)
                    axis.plot(values, [place + shift] * len(values), "|", color=colour, alpha=0.5)
        if key != "kl":
            axis.axvline(scale * teacher[key], color="grey", linestyle=":", linewidth=1, label="teacher")
        axis.set_xlabel(label)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(OBJECTIVES)), list(OBJECTIVES))
    axes[0].invert_yaxis()
    figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.suptitle("Held-out documents: mean, standard deviation and each seed")
    figure.savefig(file, dpi=130)


def beginning(options) -> Path:
    """The folder that all students begin with."""
    if options.init:
        return options.init
    folder = options.scratch / "start"
    model = whole(options.model)
    there = model.config.num_hidden_layers
    if options.layers is None:
        layers = CHOSEN if there == 30 else evenly_spaced(there, max(1, round(0.6 * there)))
    elif "," in options.layers:
        layers = [int(layer) for layer in options.layers.split(",")]
    else:
        layers = evenly_spaced(there, int(options.layers))
    if not all(0 <= layer < there for layer in layers):
        raise SystemExit(f"--layers: the model has layers 0 to {there - 1}, and {layers} are wanted")
    print(f"start: layers {', '.join(map(str, layers))} of {there}")
    cut(model, layers, folder)
    return folder


def run(options) -> None:
    print(f"{cpu()}, {options.threads} threads, {bf16_or_fp32()}, commit {commit()}")
    train, held_out = split(documents(options.corpus), options.holdout)
    steps = options.tokens // (options.batch * options.length)
    learn = sequences(options.model, train, options.length, steps * options.batch * options.length, 0)
    judge = sequences(options.model, held_out, options.length, options.holdout_tokens, 0)
    start = beginning(options)
    print(f"{parameters(start):,} parameters; {steps} steps of {options.batch} x {options.length} tokens from {len(train)} documents; "
          f"{len(judge) * options.length} held-out tokens from {len(held_out)} others")
    specs = ["top-50", *(f"systematic-50-seed-{seed}" for seed in options.seeds)]
    harness = Harness(options.model, options.scratch, learn, judge, specs, options.threads, options.heap)
    print(f"teacher: {harness.tokens} tokens in {harness.label_seconds:.0f} s, {harness.tokens / harness.label_seconds:.0f} tokens/s; "
          "not counted below", flush=True)
    bench = Bench(options, start, harness)
    vocabulary = json.loads((start / "config.json").read_text())["vocab_size"]
    models = {"teacher": harness.teacher(vocabulary), "start": harness.evaluate(start)}
    if options.model.is_dir():
        # The teacher read as a student: what separates the two engines, and what the stored distributions lost.
        models["teacher as a student"] = harness.evaluate(options.model)
    for name, scores in models.items():
        print(f"{name}: perplexity {scores['perplexity']:.2f}, KL {scores['kl']:.5f}, ECE {100 * scores['ece']:.2f} %", flush=True)

    for objective in OBJECTIVES:
        progress(f"warming up: {objective}")
        bench.train(objective, options.seeds[0], WARM_UP_STEPS)
    progress()
    same_tokens = bench.runs({(objective, seed): steps for seed in options.seeds for objective in OBJECTIVES}, "same tokens")
    same_time: dict = {}
    if not options.skip_equal_time:
        seconds = {objective: statistics.median(r["seconds"] for r in runs) for objective, runs in same_tokens.items()}
        fitting = {objective: max(1, round(seconds[CROSS_ENTROPY] / seconds[objective] * steps)) for objective in OBJECTIVES}
        same_time = bench.runs({(objective, seed): fitting[objective] for seed in options.seeds for objective in OBJECTIVES
                                if objective != CROSS_ENTROPY}, "same time")
        same_time[CROSS_ENTROPY] = same_tokens[CROSS_ENTROPY]
    peak = harness.close()
    report(options, models, same_tokens, same_time, harness, peak)


def report(options, models: dict, same_tokens: dict, same_time: dict, harness: Harness, peak: int) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    lines, summary = compared(same_tokens, same_tokens)
    lines.insert(0, f"Same tokens, {len(options.seeds)} seeds, mean ± standard deviation")
    summaries = {"same_tokens": summary}
    if same_time:
        more, summaries["same_time"] = compared(same_time, same_tokens)
        lines += ["", "Same seconds of training steps as cross-entropy; the way is that from cross-entropy to the whole distribution "
                  "on the same tokens", *more]
    reached = (summary[SAMPLED]["way_kl"] or [float("nan")])[0]
    by_seed = [100 * (a["ece"] - b["ece"]) for a, b in zip(same_tokens[SAMPLED], same_tokens[WHOLE])]
    off = statistics.mean(by_seed)
    goals = {"way_kl": {"value": reached, "goal": "at least 0.97", "met": reached >= 0.97},
             "ece_points_from_whole": {"value": off, "by_seed": by_seed, "goal": "at most 0.1 either way", "met": abs(off) <= 0.1}}
    verdict = {name: "met" if goal["met"] else "missed" for name, goal in goals.items()}
    lines += ["", f"sampled-50 comes {100 * reached:.1f} % of the way in KL: the goal, 97 %, is {verdict['way_kl']}",
              f"its ECE is {off:+.2f} percentage points from the whole distribution's ({', '.join(f'{each:+.2f}' for each in by_seed)} by "
              f"seed): the goal, 0.1, is {verdict['ece_points_from_whole']}",
              f"peak memory of the training process: {peak} MiB"]
    print("\n" + "\n".join(lines))
    (options.output / "quality.txt").write_text("\n".join(lines) + "\n")
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    (options.output / "quality.json").write_text(json.dumps({
        "machine": cpu(), "commit": commit(), "precision": bf16_or_fp32(), "settings": settings, "label_seconds": harness.label_seconds,
        "peak_mib": peak, "models": models, "runs": {"same_tokens": same_tokens, "same_time": same_time}, "summary": summaries,
        "goals": goals}, indent=2) + "\n")
    plot(same_tokens, same_time, models["teacher"], options.output / "quality.png")
    print(f"\n{options.output}/quality.txt, quality.json, quality.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?",
                        help="the teacher: a GGUF file or Hugging Face folder of a Llama with tied embeddings")
    parser.add_argument("corpus", type=Path, nargs="?", help="a folder of text files, one document each")
    parser.add_argument("--init", type=Path, help="folder that the students begin with; else --layers of the teacher")
    parser.add_argument("--layers", help="a number, for evenly spaced layers, or layers listed with commas between them")
    parser.add_argument("--tokens", type=int, default=24576, help="to train on")
    parser.add_argument("--holdout-tokens", type=int, default=8192)
    parser.add_argument("--holdout", type=float, default=0.15, help="share of documents held out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--length", type=int, default=256, help="tokens per sequence")
    parser.add_argument("--batch", type=int, default=4, help="sequences per step")
    parser.add_argument("--alpha", type=float, default=1.0, help="weight of the KL; the rest is cross-entropy's")
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--min-learning-rate", type=float, default=3e-5)
    parser.add_argument("--warm-up", type=float, default=0.05, help="share of the steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--heap", default="2600m", help="Java's, for training with whole distributions")
    parser.add_argument("--skip-equal-time", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="rehearse with a random model and a corpus that are made for it")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "potstill-quality")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/target/quality")
    options = parser.parse_args()
    if options.tiny:
        options.scratch = options.scratch / "tiny"
        options.model, options.corpus = tiny(options.scratch)
        options.layers, options.length, options.tokens, options.holdout_tokens = str(TINY_LAYERS // 2), 64, 8192, 2048
        options.output = options.output / "tiny"
    if not options.model or not options.corpus:
        parser.error("give a model and a corpus, or --tiny")
    options.scratch = options.scratch.resolve()
    options.scratch.mkdir(parents=True, exist_ok=True)
    run(options)


if __name__ == "__main__":
    main()
