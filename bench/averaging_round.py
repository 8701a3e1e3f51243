"""Seconds of a round of parameter averaging, beyond the local steps: ours beside dl4j-spark's ParameterAveragingTrainingMaster.

    python bench/averaging_round.py [--rounds 30] [--repeats 3]

Both average 10 million parameters and Adam's moments of two workers on local-cluster[2,1,2048], which take one short step each a round;
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
MODULES = ["user-errors", "soft-labels", "checkpoints", "nd4j-runtime", "onnx-runtime", "teacher-inference", "student-model", "spark-jobs"]
BUILD = ("mvn -B -ntp -q -pl spark-jobs,deploy/local-spark -am package -DskipTests dependency:build-classpath "
         "-Dmdep.outputFile=target/test-classpath -Dmdep.includeScope=test\n"
         "  mvn -B -ntp -q -f bench/dl4j-spark/pom.xml compile dependency:build-classpath -Dmdep.outputFile=target/test-classpath")
# What spark-submit opens to Spark.
OPENS = ["java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util", "java.util.concurrent",
         "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"]
WARM_UP = 60


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


def rounds(classpath: str, main: str, *arguments) -> tuple[list[float], str]:
    """Seconds of the rounds after the first ones, and what the run says of itself."""
    environment = {**os.environ, "SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1", "RUST_FLAVOR": "cpu",
                   "SPARK_SCALA_VERSION": next(SPARK_HOME.glob("jars/spark-core_*.jar")).name.split("_")[1].split("-")[0]}
    command = ["java", *[f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENS], "-Xmx3g", "-cp", classpath, main,
               *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{main} failed:\n{done.stderr[-5000:]}")
    *seconds, about = done.stdout.split("\n")[:-1]
    return [float(s) for s in seconds][WARM_UP:], about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="of each run, besides those that warm up")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    options = parser.parse_args()
    count = options.rounds + WARM_UP
    contenders = {"dl4j-spark": (theirs(), "org.potstill.bench.ParameterAveragingPeer", count),
                  "ours, fp32": (ours(), "org.potstill.spark.train.averaging.AveragingBenchmark", count, "fp32"),
                  "ours, fp16": (ours(), "org.potstill.spark.train.averaging.AveragingBenchmark", count, "fp16")}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(options.repeats):
        for name, run in contenders.items():
            found, about = rounds(*run)
            seconds[name] += found
            print(f"{name}, run {repeat + 1}: median {statistics.median(found):.3f} s, {about}", flush=True)
    peer = statistics.median(seconds["dl4j-spark"])
    for name, all_of in seconds.items():
        median = statistics.median(all_of)
        print(f"{name}: median {median:.3f} s a round, mean {statistics.mean(all_of):.3f}, {min(all_of):.3f} to {max(all_of):.3f}; "
              f"median {median / peer:.3f} of dl4j-spark's")


if __name__ == "__main__":
    main()
