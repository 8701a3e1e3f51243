"""What the comparisons share: the same weights as a plain transformers model, and Java's class path."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULES = ["user-errors", "soft-labels", "checkpoints", "nd4j-runtime", "cpu-kernels", "onnx-runtime", "teacher-inference", "student-model"]
BUILD = ("mvn -B -ntp -q -pl teacher-inference,student-model -am test-compile dependency:build-classpath "
         "-Dmdep.outputFile=target/test-classpath -Dmdep.includeScope=test")


def classpath(module: str) -> str:
    """Class folders of this reactor with the module's tests, and the jars that BUILD lists."""
    listed = ROOT / module / "target/test-classpath"
    if not listed.exists():
        raise SystemExit(f"compile the Java side first, in {ROOT}:\n  {BUILD}")
    folders = [str(ROOT / each / "target/classes") for each in MODULES]
    folders.append(str(ROOT / module / "target/test-classes"))
    return os.pathsep.join(folders + [listed.read_text().strip()])


def transformers_model(path: Path, dtype):
    """The GGUF file's weights as dense tensors: transformers may keep them packed, which is slower in half precision."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaForCausalLM
    packed = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
    settings = {key: value for key, value in packed.config.to_dict().items() if key != "quantization_config"}
    model = LlamaForCausalLM(type(packed.config).from_dict(settings))
    model.load_state_dict(packed.state_dict())
    return model.to(dtype).eval()


def tokenizer(path: Path):
    from transformers import AutoTokenizer
    return AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)


def potstill(*command: str | dict, **run) -> subprocess.CompletedProcess:
    """Runs a command of the packaged application; a dictionary among its words is settings."""
    words = [str(ROOT / "deploy/potstill")]
    for word in command:
        words += [word] if isinstance(word, str) else [s for key, value in word.items() for s in ("--set", f"{key}={value}")]
    return subprocess.run(words, check=True, text=True, **run)


def label(folder: Path, settings: dict) -> dict:
    """Labels on local[2], into a cache in the folder; what the report says of it."""
    everywhere = {"corpus.holdout": 0, "teacher.scratch": f"{folder}/scratch", "cache.path": f"{folder}/cache",
                  "report.path": f"{folder}/report", "spark.master": '"local[2]"'}
    potstill("label", {**everywhere, **settings}, stdout=subprocess.DEVNULL)
    return json.loads(Path(folder, "report/report.json").read_text())["label"]


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def java(main: str, *arguments: str, jvm: tuple = ("-Xmx1g",), runtime: Path | None = None, module: str = "teacher-inference",
         **options) -> subprocess.Popen:
    """module: whose test class main is. runtime: a folder that gpu_pack.py made, instead of this machine's Java and classes."""
    if runtime:
        start = [f"{runtime}/jre/bin/java", f"-Donnxruntime.native.path={runtime}/natives", "-cp", f"{runtime}/classes"]
    else:
        start = ["java", "--add-modules=jdk.incubator.vector", "-cp", classpath(module)]
    command = [*start, *jvm, main, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


class Ours:
    """The bare engine in a process of its own, which scores when it is told to. settings: the arguments of TeacherBenchmark."""

    def __init__(self, *settings, **start):
        self.folder = tempfile.TemporaryDirectory()
        self.process = java("org.potstill.teacher.TeacherBenchmark", *settings, **start)
        self.said("the engine did not start")

    def said(self, otherwise: str) -> str:
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"{otherwise}; its message is above")
        return line

    def told(self, command: str, sequences: list[list[int]], *more) -> str:
        file = Path(self.folder.name, "sequences")
        file.write_text("\n".join(" ".join(map(str, s)) for s in sequences) + "\n")
        print(command, file, *more, sep="\t", file=self.process.stdin, flush=True)
        return self.said(f"the engine could not {command}")

    def score(self, sequences: list[list[int]]) -> float:
        """Seconds."""
        return float(self.told("score", sequences))

    def dump(self, sequence: list[int], vocabulary: int) -> tuple[np.ndarray, list[dict[int, float]]]:
        """Logits [n, vocabulary], and the soft targets of each position, by id, in their order."""
        file = Path(self.folder.name, "dump")
        self.told("dump", [sequence], file)
        n = len(sequence) - 1
        logits, counts, entries = np.split(np.fromfile(file, "<f4"), [n * vocabulary, n * (vocabulary + 1)])
        ids, probabilities = np.split(entries, 2)
        ends = np.cumsum(counts.view("<i4"))
        targets = [dict(zip(ids.view("<i4")[begin:end].tolist(), probabilities[begin:end].tolist())) for begin, end in zip([0, *ends], ends)]
        return logits.reshape(n, vocabulary), targets

    def company(self, sequences: list[list[int]]) -> str:
        """How the targets of sequences scored together differ from those of each scored alone, in words."""
        return self.told("company", sequences)

    def close(self) -> int:
        """Peak memory in MiB."""
        self.process.stdin.close()
        peak = int(self.said("the engine did not end")) // 1024
        self.process.wait()
        return peak
