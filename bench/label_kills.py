"""Kills `potstill label` again and again, and looks whether the cache comes out as if nobody had.

    python bench/label_kills.py [MODEL] [CORPUS] [--mode kills|executors|both] [--max-documents N]

On a standalone cluster of real processes on loopback (a master and two workers of two cores each, on deploy/local-spark's jars):

kills      labels once undisturbed. Then labels again into an empty cache while, at random moments, the driver or an executor gets
           a `kill -9`; label is started again after the driver's. Where a cache is done before all kills are, the next is begun.
executors  labels with few executors and with many, under speculation that starts a second copy of a task wherever there is room.

Every cache must have the same keys with the same tokens, soft targets and loss, to the byte, the same snapshot, and be sound to
`potstill cache verify`. The tokens scored in all are set against one pass: each kill may cost no more than the shards that were
being scored. Executors tell what they scored once a second, so that of a killed one the last second is not seen.

Needs pyarrow; build the application first (mvn -q package -DskipTests). The default teacher and text are the quickstart's. Exits
with 1 where anything differs.
"""

import argparse
import csv
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as parquet

ROOT = Path(__file__).resolve().parent.parent
SPARK_HOME = ROOT / "deploy/local-spark/target/spark"
WORKERS = 2
CORES = 2
PENDING = re.compile(r"(\d+) tokens to learn from; (\d+) of them are not in the cache yet")
AGGRESSIVE = {"speculation": "true", "speculation.interval": "50ms", "speculation.multiplier": "1.01", "speculation.quantile": "0.05",
              "speculation.minTaskRuntime": "1ms"}


class Cluster:
    """A master and workers, and below the workers the executors."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {**os.environ, "SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1", "RUST_FLAVOR": "cpu",
                            "SPARK_SCALA_VERSION": next(SPARK_HOME.glob("jars/spark-core_*.jar")).name.split("_")[1].split("-")[0]}
        self.processes: list[subprocess.Popen] = []
        self.drivers: list[subprocess.Popen] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.master = f"spark://127.0.0.1:{port}"
        try:
            log = self.start("master", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", 0)
            wait(lambda: "I have been elected leader" in log.read_text(), "the master")
            self.workers = len(self.processes)
            for i in range(WORKERS):
                # Hosts of their own: no host is given the same task twice.
                self.start(f"worker-{i}", "org.apache.spark.deploy.worker.Worker", "--host", f"127.0.0.{i + 1}", "--cores", CORES, "--memory",
                           "8g", "--webui-port", 0, "--work-dir", folder / f"work-{i}", self.master)
            wait(lambda: log.read_text().count("Registering worker") == WORKERS, "the workers")
        except BaseException:
            self.close()
            raise

    def start(self, name: str, main: str, *arguments) -> Path:
        log = self.folder / f"{name}.log"
        with log.open("w") as out:
            self.processes.append(subprocess.Popen(["java", "-Xmx512m", "-cp", f"{SPARK_HOME}/jars/*", main, *map(str, arguments)],
                                                   env=self.environment, cwd=self.folder, stdout=out, stderr=subprocess.STDOUT))
        return log

    def executors(self) -> list[int]:
        """Process ids, of those alone that are children of these workers."""
        parents = {process.pid for process in self.processes[self.workers:]}
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent in parents and b"CoarseGrainedExecutorBackend" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return sorted(found)

    def close(self) -> None:
        for pid in self.executors() if len(self.processes) > 1 else []:
            os.kill(pid, signal.SIGKILL)
        for process in [*self.drivers, *self.processes]:
            process.kill()
            process.wait()


def wait(condition, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come up in {seconds:.0f} s")
        time.sleep(0.1)


def hocon(value) -> str:
    return json.dumps(str(value))


@dataclass
class Cache:
    """A cache, and what filling it took."""
    folder: Path
    drivers: int = 0
    kills: int = 0
    pending: list[int] = field(default_factory=list)
    tokens: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "cache"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics"

    @property
    def events(self) -> Path:
        return self.folder / "events"

    def speculative(self) -> int:
        """Copies that speculation started, of tasks of all stages, by Spark's event log."""
        starts = (json.loads(line) for file in self.events.iterdir() for line in file.read_text().splitlines()
                  if line.startswith('{"Event":"SparkListenerTaskStart"'))
        return sum(start["Task Info"]["Speculative"] for start in starts)

    def scored(self) -> int:
        """Tokens that executors told of, whether or not they were committed."""
        total = 0
        for file in self.metrics.glob("*.PotstillPlugin.tokensScored.csv"):
            with file.open() as rows:
                total += max((int(float(row["value"])) for row in csv.DictReader(rows) if row["value"]), default=0)
        return total


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path, cluster: Cluster, corpus: Path):
        self.options = options
        self.folder = folder
        self.cluster = cluster
        self.corpus = corpus
        self.random = random.Random(options.seed)

    def cache(self, name: str) -> Cache:
        cache = Cache(self.folder / name)
        cache.metrics.mkdir(parents=True)
        cache.events.mkdir()
        return cache

    def settings(self, cache: Cache, executors: int, spark: dict[str, str]) -> Path:
        conf = cache.folder / "label.conf"
        spark = {"ui.enabled": "false", "executor.cores": 1, "cores.max": executors, "executor.memory": self.options.executor_memory,
                 # Kills are no reason to give up here.
                 "task.maxFailures": 1000, "stage.maxConsecutiveAttempts": 1000, "deploy.maxExecutorRetries": -1,
                 "eventLog.enabled": "true", "eventLog.dir": cache.events.as_uri(), "eventLog.compress": "false",
                 "eventLog.rolling.enabled": "false",
                 "metrics.conf.executor.sink.csv.class": "org.apache.spark.metrics.sink.CsvSink",
                 "metrics.conf.executor.sink.csv.directory": cache.metrics, "metrics.conf.executor.sink.csv.period": 1,
                 "metrics.conf.executor.sink.csv.unit": "seconds", **spark}
        conf.write_text("\n".join([
            f"corpus {{ path = {hocon(self.corpus)}, holdout = 0 }}",
            f"teacher {{ path = {hocon(self.options.model.resolve())}, device = cpu }}",
            f"teacher.scratch = {hocon(self.options.scratch or self.folder / 'scratch')}",
            f"cache {{ path = {hocon(cache.path)}, shard-tokens = {self.options.shard_tokens} }}",
            f"sequence-length = {self.options.sequence_length}",
            f"report.path = {hocon(cache.folder / 'report')}",
            # Quoted: spark.speculation and spark.speculation.interval cannot both be paths.
            *(f"spark.{hocon(key)} = {hocon(value)}" for key, value in spark.items())]) + "\n")
        return conf

    def start(self, cache: Cache, conf: Path) -> tuple[subprocess.Popen, Path]:
        """deploy/potstill becomes the driver: its process id is the driver's."""
        cache.drivers += 1
        log = cache.folder / f"driver-{cache.drivers}.log"
        environment = {**os.environ, "POTSTILL_SUBMIT": f"--master {self.cluster.master}", "POTSTILL_MEMORY": "1g", "SPARK_LOCAL_IP": "127.0.0.1"}
        environment.pop("SPARK_HOME", None)
        with log.open("w") as out:
            driver = subprocess.Popen([str(ROOT / "deploy/potstill"), "label", "--conf", str(conf)], env=environment, cwd=cache.folder,
                                      stdout=out, stderr=subprocess.STDOUT)
        self.cluster.drivers.append(driver)
        return driver, log

    def finish(self, cache: Cache, driver: subprocess.Popen, log: Path) -> None:
        if driver.wait() != 0:
            raise SystemExit(f"label failed:\n{log.read_text()}")
        self.note(cache, log)

    @staticmethod
    def note(cache: Cache, log: Path) -> None:
        if found := PENDING.search(log.read_text()):
            cache.tokens = int(found.group(1))
            cache.pending.append(int(found.group(2)))

    def undisturbed(self, name: str, executors: int, spark: dict[str, str]) -> tuple[Cache, float, float]:
        """@return also the seconds until scoring began, and those from there to the end"""
        cache = self.cache(name)
        begin = time.monotonic()
        driver, log = self.start(cache, self.settings(cache, executors, spark))
        while driver.poll() is None and not PENDING.search(log.read_text()):
            time.sleep(0.05)
        scoring = time.monotonic()
        self.finish(cache, driver, log)
        end = time.monotonic()
        print(f"{name}: {cache.tokens:,} tokens in {end - begin:.1f} s, of which {end - scoring:.1f} s after the corpus was read", flush=True)
        return cache, scoring - begin, end - scoring

    def disturbed(self, number: int, kills: int, executors: int, before: float, scoring: float) -> Cache:
        """Fills a cache under at most so many kills."""
        cache = self.cache(f"killed-{number}")
        conf = self.settings(cache, executors, {})
        driver, log = self.start(cache, conf)
        while cache.kills < kills:
            # One in four anywhere, the others while there is work to lose.
            whole = self.random.random() < 0.25
            delay = self.random.uniform(0, before + scoring if whole else scoring)
            victim = self.random.choice(["driver", "executor"])
            if not self.moment(driver, log, delay, whole) or not self.kill(cache, victim, driver, log):
                break
            if victim == "driver":
                self.note(cache, log)
                driver, log = self.start(cache, conf)
        self.finish(cache, driver, log)
        return cache

    @staticmethod
    def moment(driver: subprocess.Popen, log: Path, delay: float, whole: bool) -> bool:
        """Waits for it, from now on or from where scoring begins. @return whether the driver still runs"""
        while driver.poll() is None and not whole and not PENDING.search(log.read_text()):
            time.sleep(0.05)
        end = time.monotonic() + delay
        while driver.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        return driver.poll() is None

    def kill(self, cache: Cache, victim: str, driver: subprocess.Popen, log: Path) -> bool:
        """@return whether there was one to kill before label was done"""
        if victim == "driver":
            driver.kill()
            driver.wait()
        else:
            while not (executors := self.cluster.executors()):
                if driver.poll() is not None:
                    return False
                time.sleep(0.05)
            try:
                os.kill(self.random.choice(executors), signal.SIGKILL)
            except ProcessLookupError:
                return True
        cache.kills += 1
        files = sum(1 for _ in cache.path.glob("teacher=*/spec=*/labels/*.parquet"))
        print(f"  {cache.folder.name}, kill {cache.kills}: {victim}, {files} files were committed", flush=True)
        return True

    def verify(self, cache: Cache) -> bool:
        environment = {**os.environ, "POTSTILL_MEMORY": "1g"}
        environment.pop("SPARK_HOME", None)
        done = subprocess.run([str(ROOT / "deploy/potstill"), "cache", "verify", "--set", f"cache.path={hocon(cache.path)}", "--set",
                               'spark.master="local[2]"', "--set", "spark.ui.enabled=false"], env=environment, cwd=cache.folder,
                              capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout + done.stderr)
        return done.returncode == 0


def store(cache: Cache) -> Path:
    return next(cache.path.glob("teacher=*/spec=*"))


def content(cache: Cache) -> tuple[dict[str, tuple], int]:
    """Key -> tokens, targets and loss; and how many rows were there twice."""
    rows: dict[str, tuple] = {}
    duplicates = 0
    for file in sorted((store(cache) / "labels").glob("[!_.]*.parquet")):
        for row in parquet.read_table(file, columns=["key", "tokens", "targets", "teacher_loss"]).to_pylist():
            value = (tuple(row["tokens"]), row["targets"], row["teacher_loss"])
            duplicates += row["key"] in rows
            if rows.setdefault(row["key"], value) != value:
                raise SystemExit(f"{file}: the key {row['key']} is there twice and differs")
    return rows, duplicates


def snapshot(cache: Cache) -> list[tuple]:
    folder = store(cache) / "snapshots"
    current = json.loads((folder / "current.json").read_text())
    table = parquet.read_table(folder / current.get("run", current["id"]))
    return sorted((row["document"], row["sequence"], row["key"]) for row in table.to_pylist())


def same(one: Cache, other: Cache) -> bool:
    (expected, _), (held, duplicates) = content(one), content(other)
    wrong = sum(held[key] != value for key, value in expected.items() if key in held)
    alike = held.keys() == expected.keys() and wrong == 0 and snapshot(one) == snapshot(other)
    print(f"{other.folder.name}: {len(held):,} keys ({len(expected.keys() - held.keys())} missing, {len(held.keys() - expected.keys())} too many, "
          f"{wrong} differ), {duplicates} rows twice; snapshot {'the same' if snapshot(one) == snapshot(other) else 'DIFFERS'}", flush=True)
    return alike


def kills(bench: Bench, executors: int) -> bool:
    options = bench.options
    reference, before, scoring = bench.undisturbed("undisturbed", executors, {})
    good = bench.verify(reference)
    done = number = 0
    while done < options.kills:
        number += 1
        cache = bench.disturbed(number, options.kills - done, executors, before, scoring)
        done += cache.kills
        good &= same(reference, cache) & bench.verify(cache)
        repeated = cache.scored() - cache.tokens
        # A shard ends with the sequence that fills it.
        bound = cache.kills * executors * (options.shard_tokens + options.sequence_length)
        within = repeated <= bound
        good &= within
        print(f"{cache.folder.name}: {cache.kills} kills, {cache.drivers} drivers, which found {cache.pending} tokens to score; "
              f"{cache.scored():,} scored in all, {max(0, repeated):,} more than one pass of {cache.tokens:,}; {bound:,} may be: "
              f"{'within' if within else 'BEYOND'}", flush=True)
        shutil.rmtree(cache.path)
    print(f"{done} kills over {number} caches: {'every cache as if undisturbed' if good else 'NOT as if undisturbed'}")
    return good


def executors(bench: Bench, counts: list[int]) -> bool:
    first, *others = [bench.undisturbed(f"executors-{count}", count, AGGRESSIVE)[0] for count in counts]
    good = bench.verify(first)
    for other in others:
        good &= same(first, other) & bench.verify(other)
    for cache in (first, *others):
        print(f"{cache.folder.name}: {cache.scored():,} tokens scored, one pass is {cache.tokens:,}; {cache.speculative()} tasks were copied")
    if not any(cache.speculative() for cache in (first, *others)):
        print("speculation copied nothing: a smaller --shard-tokens gives it more to do")
        good = False
    print(f"{counts} executors with speculation: {'the same content' if good else 'NOT the same content'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=ROOT / "quickstart/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("corpus", type=Path, nargs="?", default=ROOT / "quickstart/corpus", help="a folder of text files")
    parser.add_argument("--mode", choices=["kills", "executors", "both"], default="both")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--executors", type=int, nargs="+", default=[1, 4], help="numbers of executors for that mode")
    parser.add_argument("--max-documents", type=int, default=1_000_000, help="the first so many of the corpus")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--shard-tokens", type=int, default=2048)
    parser.add_argument("--executor-memory", default="1g")
    parser.add_argument("--scratch", type=Path, help="folder with the teacher compiled already")
    options = parser.parse_args()
    # Whoever ends this ends its cluster.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="label-kills-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for file in sorted(f for f in options.corpus.iterdir() if f.is_file())[:options.max_documents]:
            shutil.copy(file, corpus)
        cluster = Cluster(folder)
        try:
            bench = Bench(options, folder, cluster, corpus)
            good = options.mode == "executors" or kills(bench, WORKERS)
            good &= options.mode == "kills" or executors(bench, options.executors)
        finally:
            cluster.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
