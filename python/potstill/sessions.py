# SPDX-License-Identifier: Apache-2.0
"""The Spark session: one that has the jar, and whether a given one can be used."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from py4j.java_gateway import JavaClass
    from pyspark.sql import SparkSession

_FACADE = "org.potstill.spark.api.Potstill"
_VECTORS = "--add-modules=jdk.incubator.vector"


class PotstillError(Exception):
    """What the user can fix: the problem, its cause and the remedy."""


def jar() -> str:
    """The path of the jar that this package carries, for spark.jars."""
    path = Path(__file__).parent / "jars" / "potstill.jar"
    if not path.is_file():
        raise PotstillError(f"this package carries no jar: install the wheel that 'python -m build --wheel' makes, as {path} is missing")
    return str(path)


@cache
def versions() -> dict[str, str]:
    """The versions that the jar is of: version, spark and scala."""
    with zipfile.ZipFile(jar()) as file:
        lines = file.read("potstill-version.properties").decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def session(master: str | None = None, memory: str = "4g", conf: Mapping[str, Any] | None = None) -> SparkSession:
    """Starts a Spark session with the jar, SIMD for training and potstill_decode in SQL.

    master: such as local[2]; by default what SPARK_HOME's settings say, else local[*]. memory: the driver's heap. conf: Spark's settings.
    A session that there is already is returned if it has the jar, with the settings that it has.
    """
    import pyspark
    from pyspark.sql import SparkSession

    _require_spark(pyspark.__version__)
    # The tokenizer library would download a CUDA build of itself where it finds a GPU.
    os.environ.setdefault("RUST_FLAVOR", "cpu")
    settings = {"spark.driver.memory": memory, "spark.executorEnv.RUST_FLAVOR": os.environ["RUST_FLAVOR"], **dict(conf or {})}
    _add(settings, "spark.jars", jar(), ",")
    _add(settings, "spark.sql.extensions", "org.potstill.spark.sql.PotstillExtensions", ",")
    for side in ("driver", "executor"):
        _add(settings, f"spark.{side}.extraJavaOptions", _VECTORS, " ")
    builder = SparkSession.builder.appName("potstill")
    if master is not None:
        builder = builder.master(master)
    for key, value in settings.items():
        builder = builder.config(key, text(value))
    spark = builder.getOrCreate()
    facade(spark)
    return spark


def _add(settings: dict[str, Any], key: str, value: str, separator: str) -> None:
    others = str(settings.get(key) or "")
    if value not in others.split(separator):
        settings[key] = f"{value}{separator}{others}" if others else value


def text(value: object) -> str:
    """A setting's value as files have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def facade(spark: SparkSession) -> JavaClass:
    """The Java class that runs the jobs, in a session that can.

    Raises PotstillError with one sentence if the session cannot: Spark Connect, another Spark or Scala than the jar's, or no jar.
    """
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        raise PotstillError("this is a Spark Connect session, as of serverless and of shared clusters, which cannot run Potstill's jobs: use a "
                            "session with a JVM of its own, such as on a cluster with dedicated access mode")
    jvm = spark._jvm
    if jvm is None:
        raise PotstillError("the Spark session cannot be used, as it is stopped: start another one, with potstill.session()")
    _require_spark(spark.version, jvm.scala.util.Properties.versionNumberString())
    found: Any = jvm
    for name in _FACADE.split("."):
        found = getattr(found, name)
    # What py4j cannot find it takes for a package.
    if type(found).__name__ != "JavaClass":
        raise PotstillError(f"Potstill's jar is not on the class path of this Spark session: start it with potstill.session(), or with "
                            f"spark.jars = {jar()} before its first use")
    return found


def _line(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _require_spark(spark: str, scala: str | None = None) -> None:
    wanted = versions()
    if _line(spark) != _line(wanted["spark"]) or scala is not None and _line(scala) != wanted["scala"]:
        here = f"Spark {spark}" + (f" with Scala {_line(scala)}" if scala is not None else "")
        raise PotstillError(f"this potstill is for Spark {_line(wanted['spark'])} with Scala {wanted['scala']}, and this is {here}: install "
                            f"the potstill wheel whose version ends in +spark{_line(spark)}, or pyspark~={_line(wanted['spark'])}.0")


def in_notebook() -> bool:
    """Whether output is shown by a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
