# SPDX-License-Identifier: Apache-2.0
"""Potstill in PySpark: distils a large language model into a small one, DataFrames in and out.

    spark = potstill.session("local[2]")
    labels = potstill.label(spark, texts, {"teacher.path": "teacher.gguf", "cache.path": "cache"})

docs/python.md shows the rest. What the user can fix raises PotstillError, which says how.
"""

from potstill.calls import Report, evaluate, generate, label, report, train, write
from potstill.sessions import PotstillError, jar, session

__all__ = ["PotstillError", "Report", "evaluate", "generate", "jar", "label", "report", "session", "train", "write"]
