"""What `potstill label` costs again: on an unchanged corpus, and with 1 % of its files changed, against the first pass.

    python bench/rerun.py [--documents 1000000] [--files 200] [--model MODEL.gguf]

Generates short documents in JSON Lines files, labels them on local[2] with a tiny teacher, labels them again, changes 1 % of the files,
labels once more, and once again with --full. Checks that nothing is scored twice and that the snapshot is the one that --full gives, row for
row. Times are those of whole commands. Needs pyarrow; build the application first (mvn -q package -DskipTests).
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as parquet

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
WORDS = ("still pot copper spirit grain barley yeast wash low wines feints cut heart cask oak years taste smoke peat water").split()
HOUR = 3600


def write(corpus: Path, number: int, documents: int, generation: int) -> None:
    draw = random.Random(f"{number} {generation}")
    file = corpus / f"part-{number:05}.jsonl"
    file.write_text("".join(json.dumps({"id": f"{number}-{i}", "text": " ".join(draw.choices(WORDS, k=8))}) + "\n" for i in range(documents)))
    # As if it were an hour old: a file that has just been written is not trusted.
    then = time.time() - HOUR + 60 * generation
    os.utime(file, (then, then))


def label(folder: Path, model: Path, *flags: str) -> tuple[float, dict]:
    settings = {"corpus.path": folder / "corpus", "corpus.id-field": "id", "teacher.path": model, "teacher.scratch": folder / "scratch",
                "cache.path": folder / "cache", "report.path": folder / "report", "sequence-length": 32, "targets.k": 8, "batch-tokens": 16384,
                "cache.shard-tokens": 2_000_000, "spark.master": '"local[2]"'}
    begin = time.monotonic()
    subprocess.run([str(ROOT / "deploy/potstill"), "label", *flags, *(f"--set={key}={value}" for key, value in settings.items())], check=True,
                   stdout=subprocess.DEVNULL)
    return time.monotonic() - begin, json.loads((folder / "report/report.json").read_text())["label"]


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
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args()
    changed = max(1, options.files // 100)
    each = options.documents // options.files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        for number in range(options.files):
            write(folder / "corpus", number, each, 0)
        first, made = label(folder, options.model.resolve())
        before = snapshot(folder)
        print(f"first pass: {first:.1f} s, {made['corpus']['documents']} documents in {options.files} files, "
              f"{made['scoredTokens']} tokens scored", flush=True)
        unchanged, again = label(folder, options.model.resolve())
        assert again["scoredTokens"] == 0 and again["corpus"] == made["corpus"], again
        after = snapshot(folder)
        assert after[0] == before[0] and after[1].equals(before[1])
        print(f"unchanged: {unchanged:.1f} s, {100 * unchanged / first:.1f} %; {again['reuse']}", flush=True)
        for number in range(changed):
            write(folder / "corpus", number * (options.files // changed), each, 1)
        part, now = label(folder, options.model.resolve())
        rerun = snapshot(folder)
        print(f"{changed} files changed: {part:.1f} s, {100 * part / first:.1f} %, {now['scoredTokens']} tokens scored; {now['reuse']}", flush=True)
        full, whole = label(folder, options.model.resolve(), "--full")
        expected = snapshot(folder)
        assert whole["scoredTokens"] == 0 and whole["corpus"] == now["corpus"], whole
        assert rerun[0] == expected[0] and rerun[1].equals(expected[1]), "the snapshots differ"
        print(f"the same with --full: {full:.1f} s, {100 * full / first:.1f} %; the snapshots have the same {rerun[1].num_rows} rows")


if __name__ == "__main__":
    main()
