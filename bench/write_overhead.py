"""What Spark, tokenizing and Parquet cost: `potstill write` on local[2] against the bare writer on the same prompts.

    python bench/write_overhead.py MODEL.gguf PROMPTS.jsonl [--prompts 1200] [--precision fp32]

Has SmolLM2 answer prompts such as deploy/glossary.py makes, greedily, up to 128 new tokens each, in batches of 64, by the Spark job and by
the bare writer with 2 threads; the answers must be the same. Figures are new tokens/s of the job's writing, the teacher's loading included,
and of the whole job; also the ratio of the processors' time, which other work on the machine falsifies less. Needs what write.py
needs, and pyarrow; build the application first (mvn -q package -DskipTests).
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import pyarrow.parquet as parquet
from peer import cpu, potstill, tokenizer
from write import MAX_NEW_TOKENS, Writer, chat

BATCH = 64
CACHE_MIB = 1024


def shared(sequences: list[list[int]]) -> int:
    return len(os.path.commonprefix(sequences))


def job(folder: Path, options) -> tuple[dict, dict[str, list[int]], float]:
    """The report, the tokens of each document's answer, and the processors' seconds."""
    before = os.times()
    potstill("write", {"corpus.path": folder / "prompts.jsonl", "corpus.id-field": "document", "teacher.path": options.model.resolve(),
                       "teacher.precision": options.precision, "teacher.scratch": f"{folder}/scratch", "write.path": folder / "answers",
                       "write.temperature": 0, "write.max-new-tokens": MAX_NEW_TOKENS, "write.keep-truncated": "true",
                       "write.keep-empty": "true", "write.batch": BATCH, "write.cache-mib": CACHE_MIB, "spark.master": '"local[2]"'},
             stdout=subprocess.DEVNULL)
    after = os.times()
    rows = [row for file in (folder / "answers").glob("part-*.parquet") for row in parquet.read_table(file).to_pylist()]
    summary = json.loads((folder / "answers/_report/report.json").read_text())["write"]
    return (summary, {row["document"]: row["tokens"] for row in rows},
            after.children_user + after.children_system - before.children_user - before.children_system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--prompts", type=int, default=1200, dest="count")
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    encode = tokenizer(options.model)
    rows = [json.loads(line) for line in options.prompts.open(encoding="utf-8")][:options.count]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        asked = [chat(encode, row["prompt"]) for row in rows]
        # The writer's own process, with the compiled teacher there already, as the executor's is when it writes.
        summary, written, job_processor = job(folder, options)
        bare = Writer(options.precision.upper(), 2, MAX_NEW_TOKENS, BATCH, CACHE_MIB, 0, 0, 1, options.model, folder / "scratch")
        bare.write(asked[:4])
        before = bare.processor_seconds()
        seconds, answers, work = bare.write(asked, shared(asked))
        bare_processor = bare.processor_seconds() - before
        bare.close()
    tokens = sum(map(len, answers))
    same = sum(written[row["document"]] == answer for row, answer in zip(rows, answers))
    print(f"{cpu()}: {len(rows)} prompts, {tokens} new tokens, {options.precision}; the same answers: {same}")
    print(f"write: {summary['newTokens'] / summary['writing']:.0f} new tokens/s while writing, {summary['newTokens'] / summary['seconds']:.0f} "
          f"over the whole job of {summary['seconds']:.1f} s")
    print(f"bare writer: {tokens / seconds:.0f} new tokens/s over {seconds:.1f} s; new tokens, steps, prompt tokens read: {work}")
    print(f"write runs at {seconds / summary['writing']:.3f} of it while writing, at {seconds / summary['seconds']:.3f} over the whole job, "
          f"with {job_processor / bare_processor:.3f} x the processors' time, Java's start included")


if __name__ == "__main__":
    main()
