# SPDX-License-Identifier: Apache-2.0
"""Puts the application jar into the wheel, which is therefore of one Spark and Scala line: potstill-VERSION+spark3.5.

The jar is ../spark-jobs/target/potstill.jar, or what POTSTILL_JAR names; `mvn package -DskipTests`, with -Pspark4 for Spark 4, builds it.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOT = Path(__file__).resolve().parent


def jar() -> Path:
    """The jar to carry."""
    path = Path(os.environ.get("POTSTILL_JAR") or ROOT.parent / "spark-jobs/target/potstill.jar")
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: run 'mvn package -DskipTests', or set POTSTILL_JAR")
    return path


def build() -> dict[str, str]:
    """The versions that the jar is of: version, spark and scala."""
    with zipfile.ZipFile(jar()) as file:
        lines = file.read("potstill-version.properties").decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


class Metadata(MetadataHookInterface):
    """The version, and what installs a Spark that fits."""

    def update(self, metadata: dict) -> None:
        versions = build()
        major, minor = versions["spark"].split(".")[:2]
        metadata["version"] = versions["version"].replace("-SNAPSHOT", ".dev0") + f"+spark{major}.{minor}"
        metadata["readme"] = {"content-type": "text/markdown", "text": (ROOT.parent / "docs/python.md").read_text(encoding="utf-8")}
        # Platforms bring their own Spark, which must not be replaced.
        metadata["dependencies"] = []
        metadata["optional-dependencies"] = {"spark": [f"pyspark~={major}.{minor}.0", "numpy"], "cache": ["pyarrow"]}


class Wheel(BuildHookInterface):
    """The jar, whose natives are for Linux on x86-64."""

    def initialize(self, version: str, build_data: dict) -> None:
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"
        build_data["force_include"][str(jar())] = "potstill/jars/potstill.jar"
