"""Runs label, train and evaluate with a real MLflow server, reads back what it recorded, and kills it in the middle of training.

    python bench/mlflow_runs.py [MLFLOW]

MLFLOW is the command of an installation (pip install mlflow in a virtual environment); by default the one on the PATH. The server is on
loopback, with SQLite and a folder for artifacts. Checked over REST: the parent run and its three runs, their status, tags and parameters,
the figures of every round and of the results, and every artifact's bytes; that secrets are nowhere; that a second training joins the
same parent. Then the server gets `kill -9` in the middle of a training: that must end with status 0 and the bytes of the student of an
undisturbed one, in the same time, with one warning.

Build the application first (mvn -q package -DskipTests). Needs no other package. Exits with 1 where anything differs, and with 0 and a line
that says so where MLflow is missing.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEACHER = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
SECRET = "not-to-be-seen-anywhere"
ROUND = ["loss", "kl", "cross_entropy", "learning_rate", "gradient_norm", "tokens_per_second", "model_flops_share", "waited_share"]


class Server:
    def __init__(self, command: str, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        folder.mkdir()
        with (folder / "server.log").open("w") as log:
            self.process = subprocess.Popen(
                [command, "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", "--backend-store-uri",
                 f"sqlite:///{folder}/runs.db", "--artifacts-destination", str(folder / "artifacts")],
                stdout=log, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
                # Without its processes for jobs, of which there are none.
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).read()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit((folder / "server.log").read_text()[-3000:]) from None
                time.sleep(0.5)

    def get(self, path: str, **query) -> dict:
        return json.load(urllib.request.urlopen(f"{self.uri}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}", timeout=30))

    def post(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(f"{self.uri}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=30))

    def runs(self, experiment: str) -> list[dict]:
        found = self.get("experiments/get-by-name", experiment_name=experiment)["experiment"]["experiment_id"]
        return self.post("runs/search", {"experiment_ids": [found], "order_by": ["attributes.start_time ASC"]}).get("runs", [])

    def artifact(self, run: dict, name: str) -> bytes:
        path = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:")
        return urllib.request.urlopen(f"{self.uri}/api/2.0/mlflow-artifacts/artifacts{path}/{name}", timeout=30).read()

    def kill(self) -> None:
        """All its processes, which are a group of their own."""
        os.killpg(self.process.pid, 9)
        self.process.wait()


def tags(run: dict) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}


def params(run: dict) -> dict[str, str]:
    return {param["key"]: param["value"] for param in run["data"].get("params", [])}


def metrics(run: dict) -> dict[str, float]:
    return {metric["key"]: metric["value"] for metric in run["data"].get("metrics", [])}


def command(folder: Path, name: str, settings: dict[str, object]) -> list[str]:
    common = {"corpus.path": folder / "corpus", "corpus.holdout": 0.2, "teacher.path": TEACHER, "teacher.scratch": folder / "scratch",
              "teacher.device": "cpu", "cache.path": folder / "cache", "targets.k": 8, "sequence-length": 64, "student.path": folder / "student",
              "student.hidden-size": 32, "student.intermediate-size": 64, "student.layers": 2, "student.heads": 2, "student.kv-heads": 1,
              "train.batch-size": 2, "train.workers": 2, "train.local-steps": 2, "train.epochs": 2, "evaluate.max-tokens": 400,
              "evaluate.speed-tokens": 0, "evaluate.texts": 0, "spark.master": "local[2]", "spark.hadoop.fs.s3a.secret.key": SECRET,
              "spark.ui.enabled": "false"}
    return [str(ROOT / "deploy/potstill"), name] + [part for key, value in {**common, **settings}.items() for part in ("--set", f"{key}={value}")]


ENVIRONMENT = {**os.environ, "MLFLOW_TRACKING_TOKEN": SECRET, "POTSTILL_MEMORY": "1g"}
failed = 0


def check(holds: bool, what: str, seen: object = "") -> None:
    global failed
    print(f"{'ok ' if holds else 'NOT'} {what}{'' if holds else f': {seen}'}", flush=True)
    failed += not holds


def run(folder: Path, name: str, settings: dict[str, object]) -> str:
    ended = subprocess.run(command(folder, name, settings), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    check(ended.returncode == 0, f"{name} ends with 0", ended.stderr[-3000:])
    check(SECRET not in ended.stdout + ended.stderr, f"{name} prints no secret")
    return ended.stderr


def records(folder: Path, server: Server) -> None:
    mlflow = {"mlflow.uri": server.uri, "mlflow.experiment": "bench", "mlflow.run-name": "tiny"}
    for name in ("label", "train", "evaluate"):
        check("MLflow" not in run(folder, name, mlflow), f"{name} warns of nothing")
    runs = server.runs("bench")
    by_name = {run["info"]["run_name"]: run for run in runs}
    check(sorted(by_name) == ["evaluate", "label", "tiny", "train"] and len(runs) == 4, "there are four runs", sorted(by_name))
    parent = by_name["tiny"]
    for name, each in by_name.items():
        check(each["info"]["status"] == "FINISHED", f"{name} is finished", each["info"]["status"])
        if name != "tiny":
            check(tags(each).get("mlflow.parentRunId") == parent["info"]["run_id"], f"{name} is below tiny")
            check(params(each).get("train.epochs") == "2" and not any("spark" in key or "mlflow" in key for key in params(each)),
                  f"{name} has the settings that differ", params(each))
    label, train, evaluate = by_name["label"], by_name["train"], by_name["evaluate"]
    shown = metrics(label)
    check(shown["tokens_scored"] > 0 and shown["tokens_reused"] == 0 and shown["teacher_entropy"] > 0 and shown["tokens_per_second"] > 0
          and 0 < shown["model_flops_share"] < 1.5,
          "label has its figures", shown)
    check(len(tags(label)["potstill.teacher.fingerprint"]) == 64 == len(tags(label)["potstill.tokenizer.fingerprint"]), "label has fingerprints")
    check(tags(train)["potstill.teacher.fingerprint"] == tags(label)["potstill.teacher.fingerprint"], "train has the same teacher's")
    rounds = int(metrics(train)["rounds"])
    for name in ROUND:
        history = server.get("metrics/get-history", run_id=train["info"]["run_id"], metric_key=name)["metrics"]
        steps = [int(point.get("step", 0)) for point in history]
        check(sorted(steps) == list(range(1, rounds + 1)) and all(point["value"] > 0 for point in history),
              f"{name} is there for {rounds} rounds", history)
    shown = metrics(evaluate)
    check(shown.get("teacher/perplexity", 0) > 0 and shown.get("student/perplexity", 0) > 0
          and shown["student/kl"] > 0 and "student/accuracy" in shown and shown["teacher/agreement"] == 1, "evaluate has both models' figures", shown)
    for name in ("report.html", "report.json"):
        check(server.artifact(parent, name) == (folder / "student/report" / name).read_bytes(), f"{name} is an artifact")
    for file in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "provenance.json"):
        check(server.artifact(train, f"student/{file}") == (folder / "student" / file).read_bytes(), f"student/{file} is an artifact")
    written = b"".join(path.read_bytes() for place in (folder / "student", folder / "cache", server.folder) for path in place.rglob("*")
                       if path.is_file())
    check(SECRET.encode() not in written, "no secret is in the cache, the student, the report or on the server")
    run(folder, "label", mlflow)
    again = [run for run in server.runs("bench") if run["info"]["run_name"] == "label"]
    check(len(again) == 2 and len(server.runs("bench")) == 5 and metrics(again[1])["tokens_scored"] == 0 and metrics(again[1])["tokens_reused"] > 0,
          "a second label joins the same parent, and reuses all", [metrics(each) for each in again])


def digest(folder: Path, student: str) -> str:
    return hashlib.sha256((folder / student / "model.safetensors").read_bytes()).hexdigest()


def killed(folder: Path, server: Server) -> None:
    longer = {"train.epochs": 60, "train.local-steps": 1}
    began = time.monotonic()
    run(folder, "train", {**longer, "student.path": folder / "undisturbed"})
    undisturbed = time.monotonic() - began
    settings = {**longer, "student.path": folder / "disturbed", "mlflow.uri": server.uri, "mlflow.experiment": "killed"}
    began = time.monotonic()
    with (folder / "train.log").open("w") as log:
        process = subprocess.Popen(command(folder, "train", settings), env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT)
        recorded = 0
        while process.poll() is None and recorded < 5:
            time.sleep(0.2)
            try:
                for each in server.runs("killed"):
                    if each["info"]["run_name"] == "train":
                        recorded = len(server.get("metrics/get-history", run_id=each["info"]["run_id"], metric_key="loss").get("metrics", []))
            except urllib.error.HTTPError:
                continue
        in_time = process.poll() is None
        server.kill()
        status = process.wait()
    disturbed = time.monotonic() - began
    log = (folder / "train.log").read_text()
    check(in_time, f"the server was killed after {recorded} rounds, in the middle")
    check(status == 0, "training ends with 0", log[-3000:])
    check(digest(folder, "disturbed") == digest(folder, "undisturbed"), "the student has the same bytes as without MLflow")
    warnings = re.findall(r"(?m)^.*WARN.*MLflow.*$", log)
    check(len(warnings) == 1 and "Check mlflow.uri" in warnings[0], "there is one warning, with the remedy", warnings)
    print(f"    {undisturbed:.1f} s undisturbed and without MLflow, {disturbed:.1f} s with the server killed: {warnings}")
    check(disturbed < undisturbed + 15, "it takes no longer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mlflow", nargs="?", default="mlflow")
    options = parser.parse_args()
    mlflow = shutil.which(options.mlflow)
    if mlflow is None:
        print(f"skipped: there is no command {options.mlflow}: pip install mlflow, and name its command")
        return
    with tempfile.TemporaryDirectory(prefix="potstill-mlflow-") as temporary:
        folder = Path(temporary)
        (folder / "corpus").mkdir()
        for page in sorted((ROOT / "docs").glob("*.md"))[:6]:
            (folder / "corpus" / f"{page.stem}.txt").write_text(page.read_text()[:3000])
        for i in range(30):
            (folder / "corpus" / f"short-{i}.txt").write_text(f"Text {i} of water, copper and grain, number {i * i}. " * 4)
        server = Server(mlflow, folder / "server")
        try:
            records(folder, server)
            killed(folder, server)
        finally:
            if server.process.poll() is None:
                server.kill()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
