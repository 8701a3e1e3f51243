"""Reads Potstill's cache of soft targets without Java.

    for row in potstill_cache.read("quickstart/cache"):
        row["tokens"], row["ids"], row["probabilities"]

docs/cache-format.md specifies what is decoded here, and docs/python.md shows how to use it. decode() and Prior need only the standard
library, read() needs pyarrow, and dataset() needs datasets. Whatever is damaged, in a row or in a folder, raises CacheError.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from array import array
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

VERSION = 2
MAX_VOCABULARY = 1 << 19
MAX_K = MAX_DRAWS = 1024
MAX_ENTRIES = 1 << 28
MAX_FILE_BYTES = 256 << 20

_HEADER = struct.Struct(">BHHIQI")
_STATE_BYTES = 8
_CHECKSUM_BYTES = 4


class CacheError(ValueError):
    """What cannot be read, and why."""


class Shape(NamedTuple):
    """What a row keeps per position: the k most probable ids, draws from all others, or both, out of a vocabulary."""

    k: int
    draws: int
    vocabulary: int

    @property
    def head(self) -> int:
        return min(self.k, self.vocabulary)

    @property
    def most_drawn(self) -> int:
        return min(self.draws, self.vocabulary - self.head)

    def check(self) -> None:
        if not (0 <= self.k <= MAX_K and 0 <= self.draws <= MAX_DRAWS and self.k + self.draws and 1 <= self.vocabulary <= MAX_VOCABULARY):
            raise CacheError(f"unusable targets: {self}")


class SoftTargets(NamedTuple):
    """The teacher's distributions at the positions of a sequence, of which position t predicts token t + 1.

    ids and probabilities have a list per position. The probabilities are single-precision numbers; what they lack of 1 is the mass
    of all ids that are not listed.
    """

    ids: list[list[int]]
    probabilities: list[list[float]]


def decode(row: bytes, tokens: Sequence[int], priors: Mapping[int, Prior] | None = None, shape: Shape | None = None) -> SoftTargets:
    """Decodes the soft targets of a sequence.

    tokens: all ids of the sequence, one more than positions. priors: by hash; the one without counts is always known. shape: what the
    row must keep, or None for whatever its header says. Raises CacheError if the row is damaged or does not belong to these tokens.
    """
    tokens = _checked(tokens)
    found, prior_hash, stack = _open(row, len(tokens) - 1)
    if shape is not None and found != shape:
        raise CacheError(f"the row keeps {found} where {shape} was asked for")
    if min(tokens) < 0 or max(tokens) >= found.vocabulary:
        raise CacheError(f"a token id is outside the vocabulary of {found.vocabulary}")
    prior = Prior.none(found.vocabulary) if prior_hash == 0 else (priors or {}).get(prior_hash)
    if prior is None or prior.vocabulary != found.vocabulary:
        raise CacheError(f"the row needs the prior {prior_hash:016x} of {found.vocabulary} ids, which is missing")
    return _decode(found, tokens, prior, stack)


def _checked(tokens: Sequence[int]) -> list[int]:
    try:
        checked = [token.__index__() for token in tokens]
    except (AttributeError, TypeError):
        raise CacheError("token ids must be integers") from None
    if not checked:
        raise CacheError("a sequence has at least one token")
    return checked


def _open(row: bytes, positions: int) -> tuple[Shape, int, _SymbolStack]:
    """Checks all that surrounds the symbols."""
    row = bytes(row)
    if row and row[0] != VERSION:
        raise CacheError(f"soft targets of format version {row[0]}, where {VERSION} can be read")
    end = len(row) - _CHECKSUM_BYTES
    if end < _HEADER.size + _STATE_BYTES:
        raise CacheError(f"{len(row)} bytes cannot be a whole row")
    if int.from_bytes(row[end:], "big") != _crc32c(row[:end]):
        raise CacheError("the checksum does not match")
    _, k, draws, vocabulary, prior_hash, stored_positions = _HEADER.unpack_from(row)
    shape = Shape(k, draws, vocabulary)
    shape.check()
    if stored_positions != positions or positions * (shape.head + shape.most_drawn) > MAX_ENTRIES:
        raise CacheError(f"targets of {stored_positions} positions for {positions + 1} tokens")
    return shape, prior_hash, _SymbolStack(row[_HEADER.size:end])


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


_CRC_TABLE = [_crc_of_byte(byte) for byte in range(256)]


def _decode(shape: Shape, tokens: list[int], prior: Prior, stack: _SymbolStack) -> SoftTargets:
    ids, levels, counts = _IdModel(tokens, prior), _LevelModel(), _CountModel(shape)
    targets = SoftTargets([], [])
    for t in range(len(tokens) - 1):
        tail, masses = levels.pop(stack, shape.head) if shape.head else (1.0, [])
        # Not sum(), which adds in another way from Python 3.12 on.
        total = tail
        for mass in masses:
            total += mass
        drawn_counts = counts.pop(stack) if shape.draws and tail else []
        ids.enter(t)
        listed = [ids.pop(stack) for _ in range(shape.head)]
        drawn = _drawn(ids, drawn_counts, stack)
        ids.leave()
        tail /= total
        probabilities = [mass / total for mass in masses] + [count * tail / shape.draws for _, count in drawn]
        targets.ids.append(listed + [each for each, _ in drawn])
        targets.probabilities.append(array("f", probabilities).tolist())
    if not stack.is_spent():
        raise CacheError(f"there is more in the row than {len(tokens) - 1} positions")
    return targets


def _drawn(ids: _IdModel, counts: list[int], stack: _SymbolStack) -> list[tuple[int, int]]:
    """Pops an id for each count; ascending ids with their counts. The order among equal counts goes back to the stack."""
    drawn: list[tuple[int, int]] = []
    equal: list[int] = []
    for i, count in enumerate(counts):
        if i and count != counts[i - 1]:
            equal = []
        each = ids.pop(stack)
        place = bisect(equal, each)
        equal.insert(place, each)
        stack.push(place, 1, len(equal))
        drawn.append((each, count))
    return sorted(drawn)


class _SymbolStack:
    """The symbols of a row or of a prior: last in, first out."""

    __slots__ = ("state", "words")
    LOWEST = 1 << 31
    MASK = (1 << 30) - 1

    def __init__(self, data: bytes):
        if len(data) < _STATE_BYTES or len(data) % 4:
            raise CacheError(f"{len(data)} bytes cannot be symbols")
        self.state = int.from_bytes(data[:_STATE_BYTES], "big")
        if not self.LOWEST <= self.state < 1 << 63:
            raise CacheError(f"the state of the symbols is {self.state}")
        self.words = [word for word, in struct.iter_unpack(">I", data[_STATE_BYTES:])][::-1]

    def peek(self, total: int) -> int:
        return ((self.state & self.MASK) + 1) * total - 1 >> 30

    def pop(self, start: int, width: int, total: int) -> None:
        begin = (start << 30) // total
        share = (start + width << 30) // total - begin
        state = share * (self.state >> 30) + (self.state & self.MASK) - begin
        if state < self.LOWEST:
            if not self.words:
                raise CacheError("the symbols end too early")
            state = state << 32 | self.words.pop()
        self.state = state

    def pop_uniform(self, choices: int) -> int:
        choice = self.peek(choices)
        self.pop(choice, 1, choices)
        return choice

    def push(self, start: int, width: int, total: int) -> None:
        begin = (start << 30) // total
        share = (start + width << 30) // total - begin
        if self.state >= share << 33:
            self.words.append(self.state & 0xFFFFFFFF)
            self.state >>= 32
        quotient, rest = divmod(self.state, share)
        self.state = (quotient << 30) + rest + begin

    def is_spent(self) -> bool:
        return self.state == self.LOWEST and not any(self.words)


class _NumberModel:
    """A context: what numbers of one kind have been so far."""

    __slots__ = ("frequencies", "total")

    def __init__(self, limit: int):
        open_bits = max(0, (limit - 1).bit_length() - 4)
        self.frequencies = [1] * (8 * open_bits + (limit - 1 >> open_bits) + 1)
        self.total = len(self.frequencies)

    def pop(self, stack: _SymbolStack) -> int:
        """Pops a number. It may exceed the limit if it shares its symbol with valid ones."""
        symbol = self._symbol(stack)
        return _smallest(symbol) + (stack.pop_uniform(1 << symbol // 8 - 1) if symbol >= 16 else 0)

    def _symbol(self, stack: _SymbolStack) -> int:
        frequencies = self.frequencies
        rest = stack.peek(self.total)
        start = symbol = 0
        while frequencies[symbol] <= rest - start:
            start += frequencies[symbol]
            symbol += 1
        stack.pop(start, frequencies[symbol], self.total)
        frequencies[symbol] += 3
        self.total += 3
        if self.total > 65_536:
            self.frequencies = [frequency + 1 >> 1 for frequency in frequencies]
            self.total = sum(self.frequencies)
        return symbol


def _smallest(symbol: int) -> int:
    """The smallest number that has a symbol."""
    return symbol if symbol < 16 else 8 + symbol % 8 << symbol // 8 - 1


class _LevelModel:
    """The masses of the most probable ids and of the rest, in steps of 0.01 nats."""

    LARGEST = 4094

    def __init__(self):
        self.tail = _NumberModel(self.LARGEST + 2)
        self.first = _NumberModel(self.LARGEST + 1)
        self.gaps = [_NumberModel(self.LARGEST + 1) for _ in range(MAX_K.bit_length())]

    def pop(self, stack: _SymbolStack, entries: int) -> tuple[float, list[float]]:
        """The mass of the tail, and those of the entries, descending."""
        tail = self.tail.pop(stack)
        levels = [self.first.pop(stack)]
        for rank in range(1, entries):
            levels.append(levels[-1] + self.gaps[rank.bit_length()].pop(stack))
        if levels[-1] > self.LARGEST or tail > self.LARGEST + 1:
            raise CacheError(f"a position has the levels {tail} and {levels[-1]}, where {self.LARGEST} is the largest")
        return _mass(tail) if tail <= self.LARGEST else 0.0, [_mass(level) for level in levels]


@cache
def _mass(level: int) -> float:
    """exp(-level / 100), rounded as Java's StrictMath does, which the libraries behind math.exp do not agree with in the last bit.

    This follows exp in fdlibm: "Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun
    Microsystems, Inc. business. Permission to use, copy, modify, and distribute this software is freely granted, provided that this
    notice is preserved."
    """
    x = -level * 0.01
    power = int(x * 1.44269504088896338700 - 0.5) if x < -0.5 * math.log(2) else 0
    high = x - power * 6.93147180369123816490e-01
    low = power * 1.90821492927058770002e-10
    x = high - low
    square = x * x
    c = x - square * (1.66666666666666019037e-01 + square * (-2.77777777770155933842e-03 + square * (
        6.61375632143793436117e-05 + square * (-1.65339022054652515390e-06 + square * 4.13813679705723846039e-08))))
    if power == 0:
        return 1 - (x * c / (c - 2) - x)
    return math.ldexp(1 - (low - x * c / (2 - c) - high), power)


class _CountModel:
    """How many draws fell on each drawn id of a position."""

    def __init__(self, shape: Shape):
        self.draws = shape.draws
        self.most = shape.most_drawn
        self.distinct = _NumberModel(max(1, self.most))
        self.exact = [_NumberModel(max(1, having)) for having in range(9)]
        self.by_bits = [_NumberModel(1 << bits) for bits in range(MAX_DRAWS.bit_length() + 1)]

    def pop(self, stack: _SymbolStack) -> list[int]:
        """The counts, descending."""
        if self.most == 0:
            raise CacheError("there is mass left and no id for it")
        having = self.distinct.pop(stack) + 1
        if having > self.most:
            raise CacheError(f"a position has {having} drawn ids of {self.most}")
        counts = [1] * having
        left = self.draws - having
        while left > 0 and having > 1:
            model = self.exact[having] if having <= 8 else self.by_bits[having.bit_length()]
            survivors = model.pop(stack) + 1
            if survivors > min(having, left):
                raise CacheError(f"{survivors} of {having} drawn ids share {left} draws")
            having = survivors
            left -= having
            for i in range(having):
                counts[i] += 1
        counts[0] += left
        return counts


class _IdModel:
    """Which ids a position has. Positions come in order, each between enter() and leave()."""

    def __init__(self, tokens: list[int], prior: Prior):
        self.tokens = tokens
        self.weights = prior.weights.copy()
        # Sums of the weights of 1, 16, 256 and 4096 ids, without those that have been taken out.
        self.sums = [level.copy() for level in prior.sums]
        self.total = prior.total
        self.learnt = 1 + prior.total // 3072
        self.listed: list[list[int]] = []
        self.last: dict[int, int] = {}

    def enter(self, t: int) -> None:
        if self.total >= 1 << 28:
            self.learnt = 0
        last = self.last.get(self.tokens[t])
        self.last[self.tokens[t]] = t
        self.followers = [] if last is None else self.listed[last]
        self.extra = self.total // max(64, 2 * len(self.followers))
        for each in self.followers:
            self._add(each, self.extra)
        self.target = self.tokens[t + 1]
        self._sum(self.target, -self.weights[self.target])
        self.open = True
        self.ids: list[int] = []

    def pop(self, stack: _SymbolStack) -> int:
        weights = self.weights
        apart = weights[self.target] + self.total // (2 * len(self.ids) + 2) if self.open else 0
        total = apart + self.total
        rest = stack.peek(total)
        if rest < apart:
            stack.pop(0, apart, total)
            self.open = False
            found = self.target
        else:
            found, below = self._find(rest - apart)
            stack.pop(apart + below, weights[found], total)
            self._sum(found, -weights[found])
        self.ids.append(found)
        return found

    def leave(self) -> None:
        for each in self.ids:
            self.weights[each] += self.learnt
            self._sum(each, self.weights[each])
        if self.open:
            self._sum(self.target, self.weights[self.target])
        for each in self.followers:
            self._add(each, -self.extra)
        self.listed.append(self.ids)

    def _find(self, weight: int) -> tuple[int, int]:
        """The id at which the running sum of weights exceeds this one, and the sum below it."""
        rest = weight
        found = 0
        for sums in reversed(self.sums):
            found <<= 4
            while sums[found] <= rest:
                rest -= sums[found]
                found += 1
        return found, weight - rest

    def _add(self, each: int, change: int) -> None:
        self.weights[each] += change
        self._sum(each, change)

    def _sum(self, each: int, change: int) -> None:
        self.total += change
        ones, sixteens, more, most = self.sums
        ones[each] += change
        sixteens[each >> 4] += change
        more[each >> 8] += change
        most[each >> 12] += change


class Prior:
    """How often each id is assumed to occur, before a row begins."""

    COUNT_LIMIT = 176

    def __init__(self, counts: list[int], prior_hash: int):
        flattened = [math.sqrt(count) * math.sqrt(math.sqrt(count)) for count in counts]
        whole = 0.0
        for each in flattened:
            whole += each
        scale = 11_000_000 / whole if whole else 0.0
        self.hash = prior_hash
        self.vocabulary = len(counts)
        self.weights = [900_000 // (each + 300) + int(flat * scale) for each, flat in enumerate(flattened)]
        self.total = sum(self.weights)
        self.sums = [self.weights]
        while len(self.sums) < 4:
            finer = self.sums[-1]
            self.sums.append([sum(finer[i:i + 16]) for i in range(0, len(finer), 16)])

    @staticmethod
    @lru_cache(maxsize=4)
    def none(vocabulary: int) -> Prior:
        """The prior without counts, which needs no file."""
        return Prior([0] * vocabulary, 0)

    @staticmethod
    def read(data: bytes, vocabulary: int) -> Prior:
        """Decodes a file of priors/."""
        if not 1 <= vocabulary <= MAX_VOCABULARY or len(data) > _STATE_BYTES + 4 * (vocabulary + 1):
            raise CacheError(f"a prior of {len(data)} bytes for a vocabulary of {vocabulary}")
        stack = _SymbolStack(data)
        model = _NumberModel(Prior.COUNT_LIMIT)
        symbols = [model.pop(stack) for _ in range(vocabulary)]
        if max(symbols) >= Prior.COUNT_LIMIT or not stack.is_spent():
            raise CacheError(f"it is not a prior of {vocabulary} ids")
        return Prior([_smallest(symbol) for symbol in symbols], int.from_bytes(hashlib.sha256(data).digest()[:8], "big"))


def read(path: str | Path, run: str | None = None) -> Iterator[dict]:
    """Yields the sequences of a snapshot with their soft targets, one dictionary per place in the corpus.

    path: a local cache, or its folder teacher=.../spec=... if there are several. run: the snapshot; the current one by default. The
    dictionaries have document, sequence (the number in the document, from 0), key, tokens, ids and probabilities (see SoftTargets),
    teacher_loss and teacher_entropy. They come file by file, not in the order of documents.
    """
    folder = find(path)
    labels = _Labels(folder)
    run = run or current_run(folder)
    places = _snapshot(folder, run)
    hidden = _hidden(folder)
    # Must be listed after the files that are hidden.
    for file in _parquet_files(folder / "labels"):
        if f"labels/{file.name}" in hidden:
            continue
        for row in _rows(file, _LABEL_COLUMNS):
            here = places.pop(row["key"], [])
            targets = labels.decode(row, file) if here else None
            for document, sequence in here:
                yield {"document": document, "sequence": sequence, "key": row["key"], "tokens": row["tokens"], "ids": targets.ids,
                       "probabilities": targets.probabilities, "teacher_loss": row["teacher_loss"],
                       "teacher_entropy": row["teacher_entropy"]}
    if places:
        raise CacheError(f"{folder}: {len(places)} sequences of the snapshot {run} have no labels; if they were just pruned, read again")


def dataset(path: str | Path):
    """Makes a Hugging Face dataset of the current snapshot, with the columns of read()."""
    from datasets import Dataset, Features, Value
    name, whole, single = Value("string"), Value("int32"), Value("float32")
    features = Features({"document": name, "sequence": whole, "key": name, "tokens": [whole], "ids": [[whole]],
                         "probabilities": [[single]], "teacher_loss": single, "teacher_entropy": single})
    # The library reuses what it made from the same arguments before: the run tells a new snapshot from the last one.
    folder = find(path).resolve()
    return Dataset.from_generator(read, features=features, gen_kwargs={"path": str(folder), "run": current_run(folder)})


def find(path: str | Path) -> Path:
    """The only folder of labels in a cache, teacher=.../spec=..., or the path itself if it is one."""
    path = Path(path)
    if (path / "provenance.json").is_file():
        return path
    found = sorted(file.parent for file in path.glob("teacher=*/spec=*/provenance.json"))
    if len(found) != 1:
        raise CacheError(f"{path} has {len(found)} folders of labels, where one is needed: {', '.join(map(str, found)) or 'none'}")
    return found[0]


def current_run(folder: Path) -> str:
    """The name of the current snapshot."""
    return _run(folder, _json(folder / "snapshots/current.json").get("run"))


def _run(folder: Path, name: object) -> str:
    if not isinstance(name, str) or not re.fullmatch("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}", name):
        raise CacheError(f"{folder}: {name!r} is no snapshot")
    return name


_LABEL_COLUMNS = {"key": str, "tokens": list, "targets": bytes, "teacher_loss": float, "teacher_entropy": float}
_SNAPSHOT_COLUMNS = {"document": str, "sequence": int, "key": str}


class _Labels:
    """What provenance.json says of all rows of a folder, and their priors."""

    def __init__(self, folder: Path):
        file = folder / "provenance.json"
        provenance = _json(file)
        try:
            teacher, targets = provenance["teacher"], provenance["targets"]
            identity = [teacher["fingerprint"], provenance["tokenizer"]["fingerprint"], targets["spec"]]
            self.shape = Shape(*(each.__index__() for each in (targets["k"], targets["draws"], teacher["vocab_size"])))
            self.identity = "".join(each + "\n" for each in identity).encode()
        except (AttributeError, KeyError, TypeError, UnicodeError) as e:
            raise CacheError(f"{file}: it lacks the targets, the vocabulary or a fingerprint ({e!r})") from None
        self.shape.check()
        self.priors = {}
        for file in (folder / "priors" / name for name in _names(folder / "priors") if re.fullmatch(r"[0-9a-f]{16}\.bin", name)):
            try:
                prior = Prior.read(_bytes(file), self.shape.vocabulary)
            except CacheError as e:
                raise CacheError(f"{file}: {e}") from None
            self.priors[prior.hash] = prior

    def decode(self, row: dict, file: Path) -> SoftTargets:
        try:
            targets = decode(row["targets"], row["tokens"], self.priors, self.shape)
        except CacheError as e:
            raise CacheError(f"{file}, row {row['key']}: {e}") from None
        tokens = struct.pack(f">{len(row['tokens'])}i", *row["tokens"])
        if hashlib.sha256(self.identity + tokens).hexdigest()[:32] != row["key"]:
            raise CacheError(f"{file}, row {row['key']}: the key does not belong to these tokens and this teacher")
        return targets


def _snapshot(folder: Path, run: str) -> dict[str, list[tuple[str, int]]]:
    """The places in the corpus, document and number in it, by key."""
    files = _parquet_files(folder / "snapshots" / _run(folder, run))
    if not files:
        raise CacheError(f"{folder}: the snapshot {run} is missing")
    places: dict[str, list[tuple[str, int]]] = {}
    for file in files:
        for row in _rows(file, _SNAPSHOT_COLUMNS):
            places.setdefault(row["key"], []).append((row["document"], row["sequence"]))
    return places


def _hidden(folder: Path) -> set[str]:
    """The files whose rows other files now hold."""
    hidden: set[str] = set()
    for file in (folder / "replaced" / name for name in _names(folder / "replaced") if name.endswith(".json")):
        try:
            paths = _json(file).get("paths")
        except CacheError:
            # Gone since it was listed, after the files that it names.
            if not file.exists():
                continue
            raise
        if not isinstance(paths, list) or not all(isinstance(each, str) for each in paths):
            raise CacheError(f"{file}: it names no paths")
        hidden.update(paths)
    return hidden


def _parquet_files(folder: Path) -> list[Path]:
    return [folder / name for name in _names(folder) if name.endswith(".parquet")]


def _names(folder: Path) -> list[str]:
    """The files of a folder that are complete, sorted; none if it does not exist."""
    try:
        return sorted(file.name for file in folder.iterdir() if not file.name.startswith(("_", ".")))
    except FileNotFoundError:
        return []
    except OSError as e:
        raise CacheError(f"{folder}: {e.strerror}") from e


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as e:
        raise CacheError(f"{file}: {e.strerror}") from e
    if len(content) > MAX_FILE_BYTES:
        raise CacheError(f"{file}: it is longer than {MAX_FILE_BYTES} bytes")
    return content


def _json(file: Path) -> dict:
    try:
        content = json.loads(_bytes(file))
    except CacheError:
        raise
    except (ValueError, RecursionError) as e:
        raise CacheError(f"{file}: {e}") from e
    if not isinstance(content, dict):
        raise CacheError(f"{file}: it is no JSON object")
    return content


def _rows(file: Path, columns: dict[str, type]) -> Iterator[dict]:
    import pyarrow
    from pyarrow.parquet import ParquetFile
    try:
        with ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=256, columns=list(columns)):
                for row in batch.to_pylist():
                    if not all(isinstance(row.get(name), kind) for name, kind in columns.items()):
                        raise CacheError(f"{file}: it lacks one of the columns {', '.join(columns)}, or a value")
                    yield row
    except CacheError:
        raise
    except (OSError, ValueError, pyarrow.ArrowException) as e:
        raise CacheError(f"{file}: {e}") from e
