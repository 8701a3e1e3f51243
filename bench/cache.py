"""The soft-label cache: its size, what it costs the label job, and what a rerun costs after an edit.

    python bench/cache.py MODEL.gguf CORPUS [--precision fp32]

Makes documents of about 500 words of the corpus's text files, so that 1 % of them can be edited, and labels them under
local[2]: with 50 draws; again, after 1 % of the documents were edited; and with the top 50 and a ghost bucket. Needs pyarrow;
build the application first (mvn -q package -DskipTests).
"""

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import peer
import pyarrow.parquet as parquet

WORDS = 500
SEQUENCE_LENGTH = 512


def documents(corpus: Path) -> list[str]:
    texts = []
    for file in sorted(corpus.glob("*.txt")):
        words = file.read_text(encoding="utf-8").split(" ")
        texts += [" ".join(words[i:i + WORDS]) for i in range(0, len(words), WORDS)]
    return texts


def label(folder: Path, texts: list[str], **targets) -> dict:
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"id": f"{i:06}", "text": t}) + "\n" for i, t in enumerate(texts)))
    return peer.label(folder, {"corpus.path": folder / "corpus.jsonl", "corpus.id-field": "id", "teacher.path": OPTIONS.model.resolve(),
                               "teacher.precision": OPTIONS.precision, "sequence-length": SEQUENCE_LENGTH,
                               **{f"targets.{key}": value for key, value in targets.items()}})


def columns(summary: dict) -> Counter:
    """Bytes by column."""
    folder = Path(summary["cache"].removeprefix("file:"))
    sizes = Counter({"prior": sum(file.stat().st_size for file in folder.glob("priors/*.bin"))})
    for file in folder.glob("labels/*.parquet"):
        sizes["footer and headers"] += file.stat().st_size
        metadata = parquet.ParquetFile(file).metadata
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(column)
                sizes[chunk.path_in_schema.split(".")[0]] += chunk.total_compressed_size
                sizes["footer and headers"] -= chunk.total_compressed_size
    return sizes


def entries(folder: Path, spec: str) -> float:
    """Mean token ids a position."""
    inspected = peer.potstill("cache", "inspect", "--json", "--spec", spec,
                              {"cache.path": folder / "cache", "spark.master": '"local[2]"'}, stdout=subprocess.PIPE)
    return json.loads(inspected.stdout)[0]["entriesPerPosition"]


def tell(name: str, summary: dict) -> None:
    tokens = summary["scoredTokens"]
    sizes = columns(summary)
    print(f"\n{name}: {tokens} tokens, {sum(sizes.values()) / tokens:.2f} bytes a token in {summary['files']} files")
    for column, size in sizes.most_common():
        print(f"  {column}: {size / tokens:.3f}")
    # Two tasks share the wall time.
    share = summary["storing"] / 2 / summary["seconds"]
    print(f"  encoding and writing: {summary['storing']:.2f} s of two tasks' {summary['seconds']:.1f} s: {100 * share:.2f} %")


def main() -> None:
    print(f"{peer.cpu()}: {OPTIONS.precision}, sequences of {SEQUENCE_LENGTH} tokens")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = documents(OPTIONS.corpus)
        full = label(folder, texts, k=0, draws=50)
        tell("sampled-50", full)
        print(f"  mean distinct ids a position: {entries(folder, 'systematic-50-seed-0'):.2f}")

        edited = list(texts)
        for i in range(0, len(texts), 100):
            # In its first word: all of the document's sequences are other ones now.
            edited[i] = "Edited: " + edited[i]
        again = label(folder, edited, k=0, draws=50)
        changed = len(range(0, len(texts), 100))
        busy = sum(executor["seconds"] for executor in again["executors"])
        rest = again["seconds"] - busy
        print(f"\n{changed} of {len(texts)} documents edited: {again['scoredTokens']} tokens scored in {again['seconds']:.1f} s; without the "
              f"teacher's {busy:.1f} s that is {100 * rest / full['seconds']:.1f} % of the full pass's {full['seconds']:.1f} s")
        same = label(folder, edited, k=0, draws=50)
        print(f"nothing edited: {same['scoredTokens']} tokens scored in {same['seconds']:.1f} s: "
              f"{100 * same['seconds'] / full['seconds']:.1f} % of the full pass")
        tell("top-50", label(folder, texts, k=50))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--precision", default="fp32")
    OPTIONS = parser.parse_args()
    main()
