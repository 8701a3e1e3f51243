"""Compares what `potstill label` left in the cache with Hugging Face transformers reading the same GGUF file.

    python bench/label_parity.py MODEL.gguf CACHE/teacher=.../spec=... [--positions 2000]

For each position: is the teacher's most probable token, as stored, the one that transformers finds in fp32? And how far are the
stored log-probabilities from its own? Needs torch, transformers, gguf and pyarrow. Exits with 1 below 99 % of equal top-1.
"""

import argparse
import json
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import torch
from transformers import AutoModelForCausalLM


def decode(encoded: bytes) -> tuple[list[list[int]], list[list[float]]]:
    """Ids and log-probabilities by position, as docs/cache-format.md says."""
    version, id_bits = encoded[0], encoded[1]
    k, positions = int.from_bytes(encoded[2:4], "big"), int.from_bytes(encoded[4:8], "big")
    assert version == 1, version
    bits = "".join(f"{byte:08b}" for byte in encoded[8:-4])
    at = 0

    def read(width: int) -> int:
        nonlocal at
        at += width
        return int(bits[at - width : at], 2)

    ids, log_probabilities = [], []
    for _ in range(positions):
        entries = [(read(id_bits), read(12)) for _ in range(k)]
        tail = read(12)
        masses = torch.tensor([-level / 100 for _, level in entries] + ([-tail / 100] if tail < 4095 else []), dtype=torch.float64)
        total = torch.logsumexp(masses, 0)
        ids.append([token for token, _ in entries])
        log_probabilities.append((masses[:k] - total).tolist())
    return ids, log_probabilities


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--positions", type=int, default=2000)
    options = parser.parse_args()
    provenance = json.loads((options.labels / "provenance.json").read_text())
    print(f"teacher {provenance['teacher']['name']}, {provenance['targets']}")
    model = AutoModelForCausalLM.from_pretrained(str(options.model.parent), gguf_file=options.model.name, dtype=torch.float32).eval()
    seen = same = 0
    errors = []
    for row in parquet.read_table(options.labels / "labels").slice(0, options.positions).to_pylist():
        if seen >= options.positions:
            break
        ids, stored = decode(row["targets"])
        with torch.no_grad():
            reference = torch.log_softmax(model(torch.tensor([row["tokens"][:-1]])).logits[0].double(), -1)
        for position, (listed, values) in enumerate(zip(ids, stored)):
            seen += 1
            same += listed[0] == int(reference[position].argmax())
            errors.append((reference[position][listed] - torch.tensor(values, dtype=torch.float64)).abs().max())
    worst = torch.stack(errors)
    print(f"{seen} positions: same top-1 {100 * same / seen:.2f} %")
    print(f"log-probabilities of all listed tokens: largest difference {worst.max():.4f} nat, mean of the positions' largest {worst.mean():.4f}")
    return 0 if same >= 0.99 * seen else 1


if __name__ == "__main__":
    sys.exit(main())
