"""What the checks share: reading files, running tools, and whether what Potstill is told exists."""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import regex
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCHEMAS = os.environ.get("POTSTILL_SCHEMAS")
# Files and what is wrong with them.
Findings = Iterator[tuple[Path, str]]


def files(folder: Path, *patterns: str) -> list[Path]:
    """Files below a folder, but for what the build writes."""
    return sorted(file for pattern in patterns for file in folder.rglob(pattern) if "target" not in file.relative_to(folder).parts)


def load(file: Path) -> list[dict]:
    """The documents of a YAML or JSON file."""
    with file.open(encoding="utf-8") as stream:
        return list(yaml.load_all(stream, yaml.CSafeLoader))


def tool(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs a program of this environment."""
    return subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, text=True, check=False)


def schema(name: str) -> dict | None:
    """A maker's schema, where POTSTILL_SCHEMAS says where it is."""
    return load(Path(SCHEMAS) / name)[0] if SCHEMAS else None


def at(path: Iterator) -> str:
    return ".".join(map(str, path)) or "the file"


@functools.cache
def known_settings() -> list[regex.Pattern]:
    """Keys of docs/settings.md; those whose default is an object have keys of the user's own below them."""
    rows = regex.findall(r"^\| `([a-z0-9.-]+)` \| (\S*)", (ROOT / "docs/settings.md").read_text(encoding="utf-8"), regex.M)
    return [regex.compile(regex.escape(key) + (r"\..+" if default == "`{}`" else "")) for key, default in rows]


def arguments(file: Path, words: list[str]) -> Findings:
    """Words of Potstill's command line."""
    if not words:
        yield file, "Potstill is given no command"
        return
    command = f"spark-jobs/src/main/java/org/potstill/cli/{words[0].capitalize()}Command.java"
    if not (ROOT / command).exists():
        yield file, f"Potstill has no command {words[0]}"
    if words[1::2] != ["--conf" if n == 0 else "--set" for n in range(len(words) // 2)] or len(words) % 2 == 0:
        yield file, f"neither --conf FILE nor --set KEY=VALUE: {' '.join(words)}"
    for setting in words[4::2]:
        key = setting.split("=")[0]
        if not any(pattern.fullmatch(key) for pattern in known_settings()):
            yield file, f"there is no setting {key}"


def main_class(file: Path, name: str) -> Findings:
    if not (ROOT / "spark-jobs/src/main/java" / (str(name).replace(".", "/") + ".java")).exists():
        yield file, f"there is no class {name}"
