"""Runs label and train with OpenLineage's listener, and looks whether it reports what they read and wrote.

    python bench/lineage.py [JAR]

JAR is io.openlineage:openlineage-spark_2.12; by default spark-submit fetches version 1.53.0 with --packages. The listener writes its events to a
file. Wanted are, of one run each: label, from a table of CSV rows and from text files, with the corpus and the teacher as inputs and the folder of
the labels as output; train, with the cache as input and the student as output; no run that failed.

Build the application first (mvn -q package -DskipTests). Exits with 1 if an input or an output is missing.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEACHER = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
COORDINATES = "io.openlineage:openlineage-spark_2.12:1.53.0"
LISTENER = "io.openlineage.spark.agent.OpenLineageSparkListener"


def run(folder: Path, name: str, settings: dict[str, object]) -> list[dict]:
    """The events of a job."""
    events = folder / f"{len(list(folder.glob('*.events')))}.events"
    common = {"teacher.path": TEACHER, "teacher.scratch": folder / "scratch", "teacher.device": "cpu", "targets.k": 8, "sequence-length": 64,
              "corpus.holdout": 0, "student.hidden-size": 32, "student.intermediate-size": 64, "student.layers": 2, "student.heads": 2,
              "student.kv-heads": 1, "train.batch-size": 2, "train.workers": 2, "train.local-steps": 4, "spark.master": "local[2]",
              "spark.ui.enabled": "false", "spark.extraListeners": LISTENER, "spark.openlineage.transport.type": "file",
              "spark.openlineage.transport.location": events, "spark.openlineage.namespace": "bench"}
    jar = ["--jars", sys.argv[1]] if len(sys.argv) > 1 else ["--packages", COORDINATES]
    arguments = [part for key, value in {**common, **settings}.items() for part in ("--set", f"{key}={value}")]
    ended = subprocess.run([str(ROOT / "deploy/potstill"), name, *arguments], capture_output=True, text=True, check=False,
                           env={**os.environ, "POTSTILL_MEMORY": "1g", "POTSTILL_SUBMIT": " ".join(jar)})
    if ended.returncode != 0:
        raise SystemExit(f"{name} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    for line in ended.stderr.splitlines():
        if "lineage lacks" in line:
            print(line)
    return [json.loads(line) for line in events.read_text().splitlines()]


def names(events: list[dict], kind: str) -> set[str]:
    return {dataset["name"] for event in events for dataset in event.get(kind, [])}


def pairs(events: list[dict]) -> list[tuple[set[str], set[str]]]:
    """Inputs and outputs of each completed run."""
    runs: dict[str, list[dict]] = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event)
    return [(names(run, "inputs"), names(run, "outputs")) for run in runs.values() if any(event["eventType"] == "COMPLETE" for event in run)]


def check(job: str, events: list[dict], inputs: list[object], output: object) -> int:
    print(f"{job}: {len(events)} events")
    for ins, outs in pairs(events):
        if outs:
            print(f"    {sorted(ins)} -> {sorted(outs)}")
    holds = any(set(map(str, inputs)) <= ins and any(name.startswith(str(output)) for name in outs) for ins, outs in pairs(events))
    failed = [event["job"]["name"] for event in events if event["eventType"] in ("FAIL", "ABORT")]
    print(f"{'NOT' if failed or not holds else 'ok '} {job} has {[str(name) for name in inputs]} -> {output}; failed: {failed}")
    return 0 if holds and not failed else 1


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="potstill-lineage-") as temporary:
        folder = Path(temporary)
        table, files = folder / "table", folder / "files"
        table.mkdir()
        files.mkdir()
        texts = [f"Text {i} of water, copper, barley and grain, number {i * i}. " * 4 for i in range(30)]
        (table / "part-0.csv").write_text("text\n" + "\n".join(f'"{text}"' for text in texts) + "\n")
        for i, text in enumerate(texts):
            (files / f"{i}.txt").write_text(text)
        rows = {"corpus.path": table, "corpus.format": "csv", "corpus.options.header": "true", "cache.path": folder / "cache"}
        bad = check("label of a table", run(folder, "label", rows), [table, TEACHER], folder / "cache")
        trained = run(folder, "train", {"cache.path": folder / "cache", "student.path": folder / "student"})
        bad += check("train", trained, [folder / "cache"], folder / "student")
        labelled = run(folder, "label", {"corpus.path": files, "cache.path": folder / "other"})
        bad += check("label of files", labelled, [files, TEACHER], folder / "other")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
