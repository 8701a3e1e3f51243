"""What the comparisons share: the same weights as a plain transformers model, and Java's class path."""

import os
import subprocess
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

ROOT = Path(__file__).resolve().parent.parent
MODULES = ["user-errors", "soft-labels", "checkpoints", "nd4j-runtime", "teacher-inference"]
BUILD = ("mvn -B -ntp -q -pl teacher-inference -am test-compile dependency:build-classpath "
         "-Dmdep.outputFile=target/test-classpath -Dmdep.includeScope=test")


def classpath() -> str:
    """Class folders of this reactor, and the jars that BUILD lists."""
    listed = ROOT / "teacher-inference/target/test-classpath"
    if not listed.exists():
        raise SystemExit(f"compile the Java side first, in {ROOT}:\n  {BUILD}")
    folders = [str(ROOT / module / "target/classes") for module in MODULES]
    folders.append(str(ROOT / "teacher-inference/target/test-classes"))
    return os.pathsep.join(folders + [listed.read_text().strip()])


def transformers_model(path: Path, dtype: torch.dtype):
    """The GGUF file's weights as dense tensors: transformers may keep them packed, which is slower in half precision."""
    packed = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
    settings = {key: value for key, value in packed.config.to_dict().items() if key != "quantization_config"}
    model = LlamaForCausalLM(type(packed.config).from_dict(settings))
    model.load_state_dict(packed.state_dict())
    return model.to(dtype).eval()


def tokenizer(path: Path):
    return AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def java(main: str, *arguments: str, heap: str = "1g", **options) -> subprocess.Popen:
    command = ["java", f"-Xmx{heap}", "-cp", classpath(), main, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
