"""Runs `potstill label` on corpora that end it in its first seconds, and looks how it ends.

    python bench/error_runs.py [TEACHER] [--runs N]

The executors of a local run load the teacher while the corpus is read, so that such an error comes while native libraries are at
work. Each run must end with status 2 and its message, and leave neither a crash report of the JVM's nor a temporary file, nor a
half-written file in teacher.scratch, which is empty at first in every other run.

Build the application first (mvn -q package -DskipTests). The default teacher is a random one of 8 layers, which needs torch and
transformers. Exits with 1 where a run ends otherwise.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPORA = {
    "the corpus is empty": {"a.jsonl": b"\n\n"},
    "no document of the corpus": {"a.txt": b"\xff\xfe caf\xe9"},
    "nothing to train on": {"a.txt": b"a"},
}


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def run(folder: Path, teacher: Path, message: str, scratch: Path) -> list[str]:
    """What is wrong with the end of a run."""
    temporary, corpus, work = folder / "tmp", folder / "corpus", folder / "work"
    for each in (temporary, corpus, work):
        each.mkdir(parents=True)
    for name, text in CORPORA[message].items():
        (corpus / name).write_bytes(text)
    settings = {"corpus.path": corpus, "corpus.holdout": 0, "teacher.path": teacher, "teacher.scratch": scratch, "cache.path": folder / "cache",
                "sequence-length": 32, "spark.master": "local[1]", "spark.ui.enabled": "false"}
    command = [str(ROOT / "deploy/potstill"), "label", *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]
    environment = {**os.environ, "POTSTILL_MEMORY": "1g", "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={temporary}"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    problems = []
    if done.returncode != 2:
        problems.append(f"its status is {done.returncode}")
    if message not in done.stderr or "remedy:" not in done.stderr:
        problems.append(f"it does not say '{message}': {done.stderr[-500:]}")
    if "\n\tat " in done.stderr:
        problems.append("it prints a stack trace")
    # Their locks stay: a lock's file that is deleted locks nobody out.
    left = [name for name in contents(scratch) if ".tmp" in name or ".incoming" in name]
    for report in work.glob("hs_err*"):
        problems += [line for line in report.read_text().splitlines() if line.startswith(("# C  ", "Current thread", "C  [", "j  "))][:12]
    problems += [f"it leaves {name}" for name in contents(work) + contents(temporary) + left]
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="potstill-error-runs-"))
    failed = 0
    try:
        teacher = options.teacher
        if teacher is None:
            from healing import tiny
            teacher = tiny(folder)[0]
        messages = list(CORPORA)
        for number in range(options.runs):
            message = messages[number % len(messages)]
            begin = time.monotonic()
            problems = run(folder / str(number), teacher.resolve(), message, folder / (f"{number}/scratch" if number % 2 else "scratch"))
            failed += bool(problems)
            print(f"{number + 1:4} {time.monotonic() - begin:5.1f} s  {message}: {'; '.join(problems) or 'as it should'}", flush=True)
            shutil.rmtree(folder / str(number))
    finally:
        shutil.rmtree(folder)
    print(f"{options.runs - failed} of {options.runs} runs ended as they should")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
