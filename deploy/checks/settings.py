"""Keys of Potstill's settings files, and Spark's keys in all files; shell scripts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyhocon
import regex

from .common import Findings, files, known_settings, tool

# Spark's keys that the files use, as its documentation spells them.
SPARK_KEYS = set("""
spark.driver.cores spark.driver.memory spark.driver.extraJavaOptions spark.dynamicAllocation.enabled spark.executor.cores
spark.executor.extraJavaOptions spark.executor.extraLibraryPath spark.executor.instances spark.executor.memory spark.executor.memoryOverhead
spark.executor.resource.gpu.amount spark.executor.resource.gpu.discoveryScript spark.executor.resource.gpu.vendor spark.yarn.dist.files
spark.kubernetes.authenticate.driver.serviceAccountName spark.kubernetes.container.image spark.kubernetes.driver.podTemplateFile
spark.kubernetes.executor.podTemplateFile spark.kubernetes.namespace spark.locality.wait spark.serializer spark.speculation spark.task.cpus
spark.task.resource.gpu.amount
spark.emr-serverless.executor.disk
""".split())
SPARK_VARIABLE = regex.compile(r"spark\.(executorEnv|kubernetes\.driverEnv|yarn\.appMasterEnv|emr-serverless\.driverEnv)\.[A-Z_]+")
SPARK_KEY = regex.compile(r"(?<![\w./:-])spark\.[\w.-]+(?=[\"=:]|  )")


def settings(deploy: Path) -> Findings:
    """Keys of settings files, and Spark's in all files."""
    known = known_settings()
    for file in files(deploy, "*.conf"):
        text = file.read_text(encoding="utf-8")
        tree = pyhocon.ConfigFactory.parse_string(text, resolve=False)
        for key in keys(tree):
            if not any(pattern.fullmatch(key) for pattern in known):
                yield file, f"there is no setting {key}"
    for file in [*files(deploy, "*.yml", "*.yaml", "*.json", "*.sh", "*.properties"), *(deploy.parent / "conf").glob("gpu-*.properties")]:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for key in SPARK_KEY.findall("" if line.lstrip().startswith("#") else line):
                if key not in SPARK_KEYS and not SPARK_VARIABLE.fullmatch(key):
                    yield file, f"line {number}: {key} is not among Spark's keys that deploy/checks knows"


def keys(tree: dict, prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def shell(deploy: Path) -> Findings:
    scripts = [file for file in files(deploy, "*") if file.is_file() and file.suffix in ("", ".sh") and b"bash" in file.read_bytes()[:40]]
    # A sourced file is found from the repository, and from the copy that has mistakes.
    linted = tool("shellcheck", "--external-sources", "--source-path", deploy.parent, "--format", "json", *scripts)
    for found in json.loads(linted.stdout or "[]"):
        yield Path(found["file"]), f"line {found['line']}: SC{found['code']} {found['message']}"
