"""What Spark, tokenizing, the codec and Parquet cost: `potstill label` on local[2] against the bare engine on the same sequences.

    python bench/label_overhead.py MODEL.gguf CORPUS [--precision fp32]

Labels the corpus into an empty cache, reads the sequences back from it and has the bare engine score them. Needs pyarrow; build the
application first (mvn -q package -DskipTests) and the test classes as peer.py says.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import pyarrow.parquet as parquet
from peer import ROOT, Ours, cpu

K = 64
BATCH_TOKENS = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"corpus.path": options.corpus.resolve(), "corpus.holdout": 0, "teacher.path": options.model.resolve(),
                    "teacher.scratch": f"{folder}/scratch", "teacher.precision": options.precision, "targets.k": K,
                    "cache.path": f"{folder}/cache", "sequence-length": 512,
                    "batch-tokens": BATCH_TOKENS, "report.path": f"{folder}/report", "spark.master": '"local[2]"'}
        command = [str(ROOT / "deploy/potstill"), "label"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        label = json.loads(Path(folder, "report/report.json").read_text())["label"]
        loads = [executor["modelLoads"] for executor in label["executors"]]
        tokens = label["scoredTokens"]

        rows = [t for file in Path(folder, "cache").rglob("labels/*.parquet") for t in parquet.read_table(file)["tokens"].to_pylist()]
        bare = Ours("ONNX", "CPU", options.precision.upper(), 2, f"top-{K}", BATCH_TOKENS, options.model, f"{folder}/scratch")
        seconds = bare.score(rows)
        bare.close()
    busy = sum(executor["seconds"] for executor in label["executors"])
    print(f"{cpu()}: {tokens} tokens, {options.precision}")
    print(f"label: {tokens / label['seconds']:.0f} tokens/s over {label['seconds']:.1f} s, in {busy:.1f} of which the teacher worked; "
          f"model loads per executor {loads}")
    if label["precision"]:
        print(f"{options.precision}: KL to fp32 {label['precision']['kl']:.4f} nat, same first choice "
              f"{100 * label['precision']['agreement']:.1f} %, over {label['precision']['positions']} positions")
    print(f"bare engine: {tokens / seconds:.0f} tokens/s; label runs at {seconds / label['seconds']:.3f} of it")


if __name__ == "__main__":
    main()
