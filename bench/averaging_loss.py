"""Loss at equal tokens of each way of averaging, beside data-parallel training, which averages all workers' gradients before every step.

    python bench/averaging_loss.py CORPUS [--workers 2 4 8 1] [--steps 10 30 100] [--ways everything int8 int4 overlap] [--seeds 4]
        [--keep FOLDER]

Trains a teacher of 630,000 parameters, with the few tokens of a test fixture, on CORPUS, a folder of text files, and labels it, but for a
tenth. Then trains a student of 118,000 parameters per number of workers K, local steps H and way, each on all of the corpus once, and prints
its loss on that tenth, half KL and half cross-entropy, the mean over seeds, and the difference from data-parallel training, which is that of
one worker on batches K times as large, with the standard error that the seeds' differences give it. "everything" averages
parameters and moments, the others only parameters, in that payload (train.average, train.payload), "overlap" in int8 with train.overlap.
Workers take turns on local[*], which changes no figure. What lies in the folder to keep, teacher, targets and losses, is not made again.
Needs a built jar (mvn package -DskipTests) and no Python package.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOKENS = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
TEACHER = {"student.hidden-size": 128, "student.intermediate-size": 384, "student.layers": 3, "student.heads": 4, "student.kv-heads": 2,
           "train.alpha": 0, "train.batch-size": 4, "train.workers": 1, "train.local-steps": 100, "train.epochs": 1, "train.learning-rate": 2e-3,
           "train.min-learning-rate": 2e-4}
STUDENT = {"student.hidden-size": 64, "student.intermediate-size": 192, "student.layers": 2, "student.heads": 2, "student.kv-heads": 1,
           "train.epochs": 1, "train.learning-rate": 2e-3, "train.min-learning-rate": 2e-4,
           "evaluate.max-tokens": 50_000, "evaluate.speed-tokens": 0, "evaluate.texts": 0, "evaluate.ngrams": "false"}


def potstill(command: str, settings: dict) -> None:
    arguments = [item for key, value in settings.items() for item in ("--set", f"{key}={value}")]
    done = subprocess.run([str(ROOT / "deploy/potstill"), command, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-5000:]}")


def held_out(student: Path) -> float:
    found = json.loads((student / "report/report.json").read_text())["evaluate"]["heldOut"]["student"]
    return (math.log(found["perplexity"]["value"]) + found["kl"]["value"]) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8, 1])
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--ways", nargs="+", default=["everything", "int8", "int4", "overlap"],
                        choices=["everything", "fp32", "fp16", "int8", "int4", "overlap"])
    parser.add_argument("--batch", type=int, default=1, help="sequences per step of a worker")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--momentum", type=float, default=0.7, help="train.outer-momentum")
    parser.add_argument("--learning-rate", type=float, default=0.8, help="train.outer-learning-rate")
    parser.add_argument("--overlap", type=int, default=1, help="train.overlap, in steps, of the way of this name")
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for what a later run need not make again, with the same corpus")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="averaging-loss-"))
    losses = folder / "losses.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = json.loads(losses.read_text()) if losses.exists() else {}
        common = {"teacher.path": TOKENS, "teacher.device": "cpu", "corpus.path": options.corpus, "corpus.format": "text", "corpus.holdout": 0.1,
                  "cache.path": folder / "cache", "targets.k": 16, "sequence-length": options.sequence_length}
        teacher = folder / "teacher"
        begin = time.time()
        potstill("label", common)
        potstill("train", {**common, **TEACHER, "student.path": teacher})
        print(f"there is a teacher after {time.time() - begin:.0f} s", flush=True)
        common["teacher.path"] = teacher
        potstill("label", common)

        def loss(workers: int, batch: int, steps: int, way: str, seed: int) -> float:
            averaging = {"train.workers": workers, "train.local-steps": steps, "train.batch-size": batch, "train.seed": seed}
            if workers > 1:
                averaging |= {"train.outer-momentum": options.momentum, "train.outer-learning-rate": options.learning_rate}
            if way != "everything":
                averaging |= {"train.average": "parameters", "train.overlap": options.overlap if way == "overlap" else 0,
                              "train.payload": "int8" if way == "overlap" else way}
            cell = json.dumps(averaging)
            if cell not in known:
                student = folder / "student"
                shutil.rmtree(student, ignore_errors=True)
                potstill("distil", {**common, **STUDENT, **averaging, "student.path": student})
                known[cell] = held_out(student)
                losses.write_text(json.dumps(known, indent=1))
            return known[cell]

        seeds = range(1, options.seeds + 1)
        print("workers  local steps  " + "  ".join(way.rjust(24) for way in options.ways), flush=True)
        for workers in options.workers:
            exact = [loss(1, workers * options.batch, 100, "everything", seed) for seed in seeds]
            print(f"{workers:7}  {1:11}  {statistics.mean(exact):9.4f} data-parallel", flush=True)
            for steps in options.steps:
                cells = []
                for way in options.ways:
                    found = [loss(workers, options.batch, steps, way, seed) for seed in seeds]
                    differences = [100 * (one / other - 1) for one, other in zip(found, exact)]
                    error = statistics.stdev(differences) / math.sqrt(len(seeds)) if len(seeds) > 1 else math.nan
                    cells.append(f"{statistics.mean(found):9.4f} {statistics.mean(differences):+6.2f} ± {error:4.2f}%")
                print(f"{workers:7}  {steps:11}  " + "  ".join(cells), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
