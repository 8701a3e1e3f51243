"""Decodes what PythonReaderTest wrote and compares it with what Java made of the same bytes.

    PYTHONPATH=python python3 compare_with_java.py FILE

Ends with the first difference, or prints how many priors and rows were compared and how many of them were refused.
"""

from __future__ import annotations

import io
import struct
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import potstill_cache


class Cases:
    def __init__(self, path: str):
        self.stream = io.BytesIO(Path(path).read_bytes())

    def numbers(self, count: int) -> list[int]:
        return list(struct.unpack(f">{count}i", self.stream.read(4 * count)))

    def number(self) -> int:
        return self.numbers(1)[0]

    def content(self) -> bytes:
        return self.stream.read(self.number())


def outcome(decode: Callable[[], object]):
    """What decoding makes, or None where it refuses. Any error but the module's own ends the comparison."""
    try:
        return decode()
    except potstill_cache.CacheError:
        return None


def bits(probabilities: list[float]) -> list[int]:
    """The bits of single-precision numbers; it is an error if they are of more."""
    packed = struct.pack(f">{len(probabilities)}f", *probabilities)
    assert list(struct.unpack(f">{len(probabilities)}f", packed)) == probabilities
    return list(struct.unpack(f">{len(probabilities)}i", packed))


def main() -> None:
    cases = Cases(sys.argv[1])
    done: Counter[str] = Counter()
    priors = {}
    for i in range(cases.number()):
        vocabulary, data, valid = cases.number(), cases.content(), cases.number()
        prior = outcome(lambda: potstill_cache.Prior.read(data, vocabulary))
        if (prior.weights if prior else None) != (cases.numbers(vocabulary) if valid else None):
            sys.exit(f"prior {i} of {vocabulary} ids differs")
        if prior:
            priors[prior.hash] = prior
        done["priors" if valid else "refused priors"] += 1
    for i in range(cases.number()):
        shape = potstill_cache.Shape(*cases.numbers(3))
        tokens, row, valid = cases.numbers(cases.number()), cases.content(), cases.number()
        sizes = cases.numbers(len(tokens) - 1) if valid else []
        expected = [(cases.numbers(size), cases.numbers(size)) for size in sizes] if valid else None
        targets = outcome(lambda: potstill_cache.decode(row, tokens, priors, shape))
        found = list(zip(targets.ids, map(bits, targets.probabilities))) if targets else None
        if found != expected:
            sys.exit(f"row {i}, {shape}, {len(tokens)} tokens: Java makes {expected} of it, and Python {found}")
        done["rows" if valid else "refused rows"] += 1
    assert not cases.stream.read()
    print(", ".join(f"{count} {name}" for name, count in sorted(done.items())))


if __name__ == "__main__":
    main()
