"""What a corpus of many small files costs: `potstill label` of so many JSON files of one line, against one file of the same lines.

    python bench/many_files.py MODEL.gguf [--files 5000]

Each is labelled into a cache of its own, on local[2]; the time is that of the whole command. Build the application first
(mvn -q package -DskipTests).
"""

import argparse
import tempfile
import time
from pathlib import Path

from peer import cpu, label


def seconds(model: Path, corpus: Path, folder: Path) -> float:
    begin = time.monotonic()
    label(folder, {"corpus.path": corpus, "teacher.path": model.resolve(), "sequence-length": 32})
    return time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--files", type=int, default=5000)
    options = parser.parse_args()
    lines = [f'{{"text": "one two {i}"}}\n' for i in range(options.files)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus in ("one", "many"):
            (folder / corpus).mkdir()
        (folder / "one" / "all.jsonl").write_text("".join(lines))
        for i, line in enumerate(lines):
            (folder / "many" / f"{i}.jsonl").write_text(line)
        one = seconds(options.model, folder / "one", folder / "of-one")
        many = seconds(options.model, folder / "many", folder / "of-many")
    print(f"{cpu()}: {options.files} lines in one file {one:.1f} s, in a file each {many:.1f} s: {many / one:.2f} times")


if __name__ == "__main__":
    main()
