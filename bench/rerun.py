"""What `potstill label` costs again: on an unchanged corpus, and with 1 % of its files changed, against the first pass.

    python bench/rerun.py [--documents 1000000] [--files 200] [--words 6] [--model MODEL.gguf]

Generates short documents in JSON Lines files, labels them on local-cluster[2,1,2048] with a tiny teacher, labels them again, changes 1 % of the
files, labels once more, and once again with --full. Checks that nothing is scored twice and that the snapshot is the one that --full gives, row
for row. Then trains a tiny student until its first round ends. Times are those of whole commands. Each command's driver is told to collect its
garbage every few seconds; the most that is left is printed, too. Needs pyarrow; build the application first (mvn -q package -DskipTests).
"""

import argparse
import json
import os
import random
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as parquet
from training_scale import finish, potstill

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
WORDS = ("still pot copper spirit grain barley yeast wash low wines feints cut heart cask oak years taste smoke peat water").split()
HOUR = 3600
COLLECTING_SECONDS = 5
USED = re.compile(r"total \d+K, used (\d+)K")
FIRST_ROUND = "epoch 1 round 1/"


def write(corpus: Path, number: int, documents: int, words: int, generation: int) -> None:
    draw = random.Random(f"{number} {generation}")
    file = corpus / f"part-{number:05}.jsonl"
    file.write_text("".join(json.dumps({"id": f"{number}-{i}", "text": " ".join(draw.choices(WORDS, k=words))}) + "\n" for i in range(documents)))
    # As if it were an hour old: a file that has just been written is not trusted.
    then = time.time() - HOUR + 60 * generation
    os.utime(file, (then, then))


def run(folder: Path, model: Path, command: str, settings: dict, until: str = "") -> tuple[float, float]:
    """Runs a command, or only until it logs these words. Returns seconds and the most that its driver's heap held, in MiB."""
    settings = {"corpus.path": folder / "corpus", "corpus.id-field": "id", "teacher.path": model, "teacher.scratch": folder / "scratch",
                "cache.path": folder / "cache", "report.path": folder / "report", "sequence-length": 32, "targets.k": 8, **settings}
    heap = 0.0
    begin = collected = time.monotonic()
    process = potstill(folder, command, settings, "local-cluster[2,1,2048]")
    while process.poll() is None:
        time.sleep(0.2)
        if until and until in (folder / f"{command}.log").read_text():
            seconds = time.monotonic() - begin
            process.terminate()
            process.wait()
            return seconds, heap
        if time.monotonic() - collected > COLLECTING_SECONDS:
            heap = max(heap, live(process.pid))
            collected = time.monotonic()
    finish(folder, command, process)
    if until:
        raise SystemExit(f"{command} ended without saying '{until}'")
    return time.monotonic() - begin, heap


def live(process: int) -> float:
    """Returns the MiB that a JVM's heap holds once it has collected its garbage; 0 if there is no JVM yet."""
    subprocess.run(["jcmd", str(process), "GC.run"], capture_output=True)
    used = USED.search(subprocess.run(["jcmd", str(process), "GC.heap_info"], capture_output=True, text=True).stdout)
    return int(used[1]) / 1024 if used else 0


def label(folder: Path, model: Path, full: bool = False) -> tuple[float, float, dict]:
    seconds, heap = run(folder, model, "label", {"batch-tokens": 16384, "cache.shard-tokens": 2_000_000, "corpus.full": str(full).lower()})
    return seconds, heap, json.loads((folder / "report/report.json").read_text())["label"]


def snapshot(folder: Path) -> tuple[dict, object]:
    """The settings of the current snapshot, but for the name of its run, and its rows."""
    [current] = (folder / "cache").glob("teacher=*/spec=*/snapshots/current.json")
    about = json.loads(current.read_text())
    columns = ["document", "sequence", "key", "responses", "last_response"]
    rows = parquet.read_table(current.parent / about.pop("run"), columns=columns)
    return about, rows.sort_by([("document", "ascending"), ("sequence", "ascending")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--words", type=int, default=6, help="of a document")
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args()
    changed = max(1, options.files // 100)
    each = options.documents // options.files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        for number in range(options.files):
            write(folder / "corpus", number, each, options.words, 0)
        first, heap, made = label(folder, options.model.resolve())
        before = snapshot(folder)
        print(f"first pass: {first:.1f} s, {made['corpus']['documents']} documents in {options.files} files, "
              f"{made['scoredTokens']} tokens scored; at most {heap:.0f} MiB in the driver's heap", flush=True)
        unchanged, _, again = label(folder, options.model.resolve())
        assert again["scoredTokens"] == 0 and again["corpus"] == made["corpus"], again
        after = snapshot(folder)
        assert after[0] == before[0] and after[1].equals(before[1])
        print(f"unchanged: {unchanged:.1f} s, {100 * unchanged / first:.1f} %; {again['reuse']}", flush=True)
        for number in range(changed):
            write(folder / "corpus", number * (options.files // changed), each, options.words, 1)
        part, _, now = label(folder, options.model.resolve())
        rerun = snapshot(folder)
        print(f"{changed} files changed: {part:.1f} s, {100 * part / first:.1f} %, {now['scoredTokens']} tokens scored; {now['reuse']}", flush=True)
        full, _, whole = label(folder, options.model.resolve(), full=True)
        expected = snapshot(folder)
        assert whole["scoredTokens"] == 0 and whole["corpus"] == now["corpus"], whole
        assert rerun[0] == expected[0] and rerun[1].equals(expected[1]), "the snapshots differ"
        print(f"the same with --full: {full:.1f} s, {100 * full / first:.1f} %; the snapshots have the same {rerun[1].num_rows} rows", flush=True)
        seconds, heap = run(folder, options.model.resolve(), "train", {
            "student.path": folder / "student", "student.hidden-size": 16, "student.intermediate-size": 32, "student.layers": 1,
            "student.heads": 2, "train.workers": 2, "train.batch-size": 16, "train.local-steps": 32}, until=FIRST_ROUND)
        print(f"train: {seconds:.1f} s until the end of its first round; at most {heap:.0f} MiB in the driver's heap")


if __name__ == "__main__":
    main()
