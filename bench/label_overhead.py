"""What Spark, tokenizing, the codec and Parquet cost: `potstill label` on local[2] against the bare engine on the same sequences.

    python bench/label_overhead.py MODEL.gguf CORPUS [--precision fp32]

Labels the corpus into an empty cache, reads the sequences back from it and has the bare engine score them. Needs pyarrow; build the
application first (mvn -q package -DskipTests) and the test classes as peer.py says.
"""

import argparse
import tempfile
from pathlib import Path

import pyarrow.parquet as parquet
from peer import Ours, cpu, label

K = 64
BATCH_TOKENS = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        summary = label(Path(folder), {"corpus.path": options.corpus.resolve(), "teacher.path": options.model.resolve(),
                                       "teacher.precision": options.precision, "targets.k": K, "sequence-length": 512,
                                       "batch-tokens": BATCH_TOKENS})
        loads = [executor["modelLoads"] for executor in summary["executors"]]
        tokens = summary["scoredTokens"]

        rows = [t for file in Path(folder, "cache").rglob("labels/*.parquet") for t in parquet.read_table(file)["tokens"].to_pylist()]
        bare = Ours("ONNX", "CPU", options.precision.upper(), 2, f"top-{K}", BATCH_TOKENS, options.model, f"{folder}/scratch")
        seconds = bare.score(rows)
        bare.close()
    busy = sum(executor["seconds"] for executor in summary["executors"])
    print(f"{cpu()}: {tokens} tokens, {options.precision}")
    print(f"label: {tokens / summary['seconds']:.0f} tokens/s over {summary['seconds']:.1f} s, in {busy:.1f} of which the teacher worked; "
          f"model loads per executor {loads}")
    if summary["precision"]:
        print(f"{options.precision}: KL to fp32 {summary['precision']['kl']:.4f} nat, same first choice "
              f"{100 * summary['precision']['agreement']:.1f} %, over {summary['precision']['positions']} positions")
    print(f"bare engine: {tokens / seconds:.0f} tokens/s; label runs at {seconds / summary['seconds']:.3f} of it")


if __name__ == "__main__":
    main()
