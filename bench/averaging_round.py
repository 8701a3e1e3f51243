"""Seconds of a round of parameter averaging, beyond the local steps: ours beside dl4j-spark's ParameterAveragingTrainingMaster.

    python bench/averaging_round.py [--rounds 30] [--repeats 3] [--workers 2] [--payloads fp32 fp16 int8 int4]

Both average 10 million parameters and Adam's moments of two workers on local-cluster[2,1,2048], which take one short step each per round;
with the payloads int8 and int4, ours averages only parameters, and prints the bytes that an executor receives per round in each case;
what such a step takes alone is subtracted. They run in turn, in processes of their own; the first rounds of each, in which Java
warms up, do not count. Ours has the driver collect the state every so many rounds, as training does: of 30 rounds, in one. Needs no
Python package; compile both sides first, see BUILD.
"""

import argparse
import os
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPARK_HOME = ROOT / "deploy/local-spark/target/spark"
MODULES = ["user-errors", "soft-labels", "checkpoints", "nd4j-runtime", "cpu-kernels", "onnx-runtime",
           "teacher-inference", "student-model", "spark-jobs"]
BUILD = ("mvn -B -ntp -q -pl spark-jobs,deploy/local-spark -am package -DskipTests dependency:build-classpath "
         "-Dmdep.outputFile=target/test-classpath -Dmdep.includeScope=test\n"
         "  mvn -B -ntp -q -f bench/dl4j-spark/pom.xml compile dependency:build-classpath -Dmdep.outputFile=target/test-classpath")
# What spark-submit opens to Spark.
OPENS = ["java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util", "java.util.concurrent",
         "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"]
WARM_UP = 60
PEERS_WORKERS = 2


def listed(module: str) -> str:
    file = ROOT / module / "target/test-classpath"
    if not file.exists():
        raise SystemExit(f"compile first, in {ROOT}:\n  {BUILD}")
    return file.read_text().strip()


def ours() -> str:
    folders = [str(ROOT / module / "target/classes") for module in MODULES] + [str(ROOT / "spark-jobs/target/test-classes")]
    return os.pathsep.join([*folders, listed("spark-jobs")])


def theirs() -> str:
    return os.pathsep.join([str(ROOT / "bench/dl4j-spark/target/classes"), listed("bench/dl4j-spark")])


def rounds(classpath: str, main: str, *arguments) -> tuple[list[float], list[float], str]:
    """Seconds of the rounds after the first ones, the bytes that each executor received per parameter (ours), and what the run says of itself."""
    environment = {**os.environ, "SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1", "RUST_FLAVOR": "cpu",
                   "SPARK_SCALA_VERSION": next(SPARK_HOME.glob("jars/spark-core_*.jar")).name.split("_")[1].split("-")[0]}
    command = ["java", *[f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENS], "-Xmx3g", "-cp", classpath, main,
               *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{main} failed:\n{done.stderr[-5000:]}")
    *lines, about = done.stdout.split("\n")[:-1]
    figures = [[float(figure) for figure in line.split()] for line in lines][WARM_UP:]
    return [line[0] for line in figures], [line[1] for line in figures if len(line) > 1], about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="of each run, besides those that warm up")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    parser.add_argument("--workers", type=int, default=PEERS_WORKERS, help="each on an executor of its own; dl4j-spark only runs with 2")
    parser.add_argument("--payloads", nargs="+", default=["fp32", "fp16", "int8", "int4"], help="int8 and int4 average only parameters")
    parser.add_argument("--alone", action="store_true", help="without dl4j-spark")
    options = parser.parse_args()
    count = options.rounds + WARM_UP
    contenders = {f"ours, {payload}": (ours(), "org.potstill.spark.train.averaging.AveragingBenchmark", count, options.workers, payload)
                  for payload in options.payloads}
    if options.workers == PEERS_WORKERS and not options.alone:
        contenders = {"dl4j-spark": (theirs(), "org.potstill.bench.ParameterAveragingPeer", count), **contenders}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(options.repeats):
        for name, run in contenders.items():
            found, received, about = rounds(*run)
            seconds[name] += found
            size = f"; {statistics.median(received):.3f} bytes per parameter and executor, mean {statistics.mean(received):.3f}" if received else ""
            print(f"{name}, run {repeat + 1}: median {statistics.median(found):.3f} s, {about}{size}", flush=True)
    peer = statistics.median(seconds["dl4j-spark"]) if "dl4j-spark" in seconds else None
    for name, all_of in seconds.items():
        median = statistics.median(all_of)
        print(f"{name}: median {median:.3f} s per round, mean {statistics.mean(all_of):.3f}, {min(all_of):.3f} to {max(all_of):.3f}"
              + (f"; median {median / peer:.3f} of dl4j-spark's" if peer else ""))


if __name__ == "__main__":
    main()
