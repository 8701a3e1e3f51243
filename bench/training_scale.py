"""Tokens/s of `potstill train` with two single-core executors against one, and its memory over many rounds.

    python bench/training_scale.py [--rounds 6] [--repeats 3] [--memory-rounds 200] [--batch 8] [--set KEY=VALUE ...]

Labels made-up text with a tiny teacher of the test fixtures, then trains on it on local-cluster[1,1,…] and local-cluster[2,1,…] in turn:
one worker on batches twice as large against two, so that a round is the same work. A round is what lies between the ends of two
averagings, by Spark's event log; the first ones, in which Java warms up, do not count. Prints the mean share of all rounds in which two
workers waited for the exchange, too. --set is for train: student.*, train.average, train.overlap and the like. Then one run on two
executors, of which the resident memory of driver and executors is sampled: first against last quarter of the rounds. Needs no Python
package; build the application first (mvn -q package -DskipTests). Wants two free cores.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEACHER = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
WORDS = "the of and to in is that water still pot copper spirit grain barley yeast wash low wines feints cut heart cask oak years smoke peat".split()
# The teacher's longest, half of the settings' default; with twice as many steps a round is as many tokens.
SEQUENCE = 128
LOCAL_STEPS = 32
WARM_UP = 3
MIB = {"m": 1, "g": 1024}
WAITED = re.compile(r"workers waited for it in ([0-9.]+) % of a round")


def potstill(folder: Path, job: str, settings: dict, master: str) -> subprocess.Popen:
    command = [str(ROOT / "deploy/potstill"), job]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    environment = {**os.environ, "POTSTILL_SUBMIT": f"--master {master}", "POTSTILL_MEMORY": "1g", "SPARK_LOCAL_IP": "127.0.0.1"}
    environment.pop("SPARK_HOME", None)
    with (folder / f"{job}.log").open("w") as log:
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def finish(folder: Path, job: str, process: subprocess.Popen) -> None:
    if process.wait() != 0:
        raise SystemExit(f"{job} failed:\n{(folder / f'{job}.log').read_text()[-5000:]}")


def write_corpus(folder: Path, sequences: int) -> None:
    """A byte is about a token to this teacher."""
    draw = random.Random(1)
    folder.mkdir()
    for i in range(16):
        text = " ".join(draw.choices(WORDS, k=sequences * SEQUENCE // 16 // 6 + 1))
        (folder / f"{i}.txt").write_text(text)


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        # All rounds of an epoch are full but for the last, which does not count.
        write_corpus(folder / "corpus", 2 * options.batch * LOCAL_STEPS * (options.rounds + WARM_UP + 2))
        self.settings = {"corpus.path": folder / "corpus", "corpus.holdout": 0, "teacher.path": TEACHER, "teacher.device": "cpu",
                         "teacher.scratch": folder / "scratch", "cache.path": folder / "cache", "targets.k": 8, "sequence-length": SEQUENCE,
                         "report.path": folder / "report"}
        finish(folder, "label", potstill(folder, "label", self.settings, "local[2]"))
        corpus = json.loads((folder / "report/report.json").read_text())["label"]["corpus"]
        self.sequences, self.tokens = corpus["sequences"], corpus["positions"]

    def train(self, name: str, executors: int, epochs: int, hidden: int, steps: int, watch=lambda driver: None) -> tuple[list[float], float]:
        """Seconds between the ends of rounds, and the share waited. watch: called while it runs, with the driver's process id."""
        events = self.folder / f"events-{name}"
        events.mkdir()
        settings = {**self.settings, "student.path": self.folder / f"student-{name}", "student.hidden-size": hidden,
                    "student.intermediate-size": 11 * hidden // 4, "student.layers": 4, "train.workers": executors,
                    "train.batch-size": 2 * self.options.batch // executors, "train.local-steps": steps, "train.epochs": epochs,
                    "spark.executor.cores": 1, "spark.executor.memory": self.options.memory, "spark.ui.enabled": "false",
                    "spark.eventLog.enabled": "true", "spark.eventLog.dir": json.dumps(events.as_uri()),
                    "spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false",
                    **dict(pair.split("=", 1) for pair in self.options.set)}
        mebibytes = MIB[self.options.memory[-1]] * int(self.options.memory[:-1])
        process = potstill(self.folder, "train", settings, f"local-cluster[{executors},1,{mebibytes}]")
        while process.poll() is None:
            watch(process.pid)
            time.sleep(0.5)
        finish(self.folder, "train", process)
        jobs, ends = set(), []
        for line in next(events.iterdir()).read_text().splitlines():
            event = json.loads(line)
            if event["Event"] == "SparkListenerJobStart" and any("AveragingRound" in s["Stage Name"] for s in event["Stage Infos"]):
                jobs.add(event["Job ID"])
            elif event["Event"] == "SparkListenerJobEnd" and event["Job ID"] in jobs:
                ends.append(event["Completion Time"] / 1000)
        waited = WAITED.search((self.folder / "train.log").read_text())
        return [end - begin for begin, end in zip(ends, ends[1:])], float(waited[1]) if waited else 0

    def speed(self) -> None:
        tokens = 2 * self.options.batch * LOCAL_STEPS * (SEQUENCE - 1)
        seconds = {executors: [] for executors in self.options.executors}
        for repeat in range(self.options.repeats):
            for executors, found in seconds.items():
                rounds, waited = self.train(f"{executors}-{repeat}", executors, 1, self.options.hidden_size, LOCAL_STEPS)
                rounds = rounds[WARM_UP:WARM_UP + self.options.rounds]
                found += rounds
                print(f"{executors} executors, run {repeat + 1}: {tokens / statistics.median(rounds):.0f} tokens/s, "
                      f"{waited} % of a round waited", flush=True)
        if len(seconds) == 2:
            one, two = (tokens / statistics.median(seconds[executors]) for executors in (1, 2))
            print(f"two executors {two:.0f} tokens/s, one {one:.0f}: {two / one:.2f} times")

    def memory(self) -> None:
        samples: dict[int, list[float]] = {}
        main: list[int] = []

        def watch(driver: int) -> None:
            main[:] = [driver]
            for process in [driver, *children(driver)]:
                if resident := rss(process):
                    samples.setdefault(process, []).append(resident)

        steps = 4
        epochs = -(-self.options.memory_rounds * 2 * self.options.batch * steps // self.sequences)
        rounds = len(self.train("memory", 2, epochs, 64, steps, watch)[0]) + 1
        print(f"resident memory over {rounds} rounds, MiB:")
        for process, all_of in samples.items():
            quarter = len(all_of) // 4
            if quarter:
                first, last = statistics.mean(all_of[:quarter]), statistics.mean(all_of[-quarter:])
                second = statistics.mean(all_of[quarter:2 * quarter])
                print(f"  {'driver' if process in main else 'executor'}: first quarter {first:.0f}, second {second:.0f}, "
                      f"last {last:.0f}; peak {max(all_of):.0f}")


def children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def rss(process: int) -> float | None:
    """MiB."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:")), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="of each run, besides those that warm up")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each number of executors")
    parser.add_argument("--executors", type=int, nargs="+", choices=[1, 2], default=[1, 2])
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8, help="sequences per step of each of two workers")
    parser.add_argument("--memory", default="1g", help="heap of an executor")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--memory-rounds", type=int, default=200, help="0: memory is not looked at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="training-scale-", ignore_cleanup_errors=True) as name:
        bench = Bench(options, Path(name))
        if options.repeats:
            bench.speed()
        if options.memory_rounds:
            bench.memory()


if __name__ == "__main__":
    main()
