# SPDX-License-Identifier: Apache-2.0
"""Potstill as stages of pyspark.ml, which needs numpy.

    student = Distiller(conf={"teacher.path": "teacher.gguf", "cache.path": "cache", "student.path": "student"}).fit(texts)
    student.setOptions({"max_new_tokens": 32}).transform(prompts)

What a stage saves is its settings; soft labels and student stay where these say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark import keyword_only
from pyspark.ml import Estimator, Model, Transformer
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable

from potstill.calls import evaluate, generate, label, settings_of, train
from potstill.sessions import PotstillError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _settings(value: Any) -> str:
    """Settings as JSON, the form in which they are saved."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return json.dumps({"conf": value})
    return json.dumps(settings_of(json.loads(value) if isinstance(value, str) else value), sort_keys=True)


class _HasConf(Params):
    conf: Param[str] = Param(Params._dummy(), "conf", "settings by their names, or the path of a file of them", typeConverter=_settings)

    def getConf(self) -> dict[str, str]:
        """The settings, as text by their full names."""
        return json.loads(self.getOrDefault(self.conf)) if self.isDefined(self.conf) else {}

    def setConf(self, value: Mapping[str, Any] | str):
        """Sets the settings."""
        return self._set(conf=value)


class SoftLabeler(Transformer, _HasConf, DefaultParamsReadable, DefaultParamsWritable):
    """Turns texts into the teacher's soft labels, see potstill.label. Scores only what the cache lacks."""

    @keyword_only
    def __init__(self, *, conf: Mapping[str, Any] | str | None = None):
        super().__init__()
        self._set(**{name: value for name, value in self._input_kwargs.items() if value is not None})

    def _transform(self, dataset: DataFrame) -> DataFrame:
        return label(dataset.sparkSession, dataset, self.getConf())


class Distiller(Estimator, _HasConf, DefaultParamsReadable, DefaultParamsWritable):
    """Distils the teacher into a student: labels the texts and trains on the labels."""

    @keyword_only
    def __init__(self, *, conf: Mapping[str, Any] | str | None = None):
        super().__init__()
        self._set(**{name: value for name, value in self._input_kwargs.items() if value is not None})

    def _fit(self, dataset: DataFrame) -> DistilledModel:
        spark = dataset.sparkSession
        label(spark, dataset, self.getConf())
        train(spark, self.getConf())
        return self._copyValues(DistilledModel())


class DistilledModel(Model, _HasConf, DefaultParamsReadable, DefaultParamsWritable):
    """The student, which continues prompts, see potstill.generate: a column prompt gets a column text."""

    options: Param[str] = Param(Params._dummy(), "options", "how to continue prompts: max_new_tokens, temperature, chat and others",
                                typeConverter=lambda value: value if isinstance(value, str) else json.dumps(dict(value), sort_keys=True))
    model: Param[str] = Param(Params._dummy(), "model", "path of the student; by default student.path of the settings",
                              typeConverter=TypeConverters.toString)

    def getOptions(self) -> dict[str, Any]:
        """How prompts are continued."""
        return json.loads(self.getOrDefault(self.options)) if self.isDefined(self.options) else {}

    def setOptions(self, value: Mapping[str, Any]) -> DistilledModel:
        """Sets how prompts are continued."""
        return self._set(options=value)

    def getModel(self) -> str:
        """The path of the student."""
        if self.isDefined(self.model):
            return self.getOrDefault(self.model)
        path = self.getConf().get("student.path")
        if path is None:
            raise PotstillError("the settings of this stage do not name the student: set the param model to its path")
        return path

    def setModel(self, value: str) -> DistilledModel:
        """Sets the path of the student."""
        return self._set(model=value)

    def evaluate(self, dataset: DataFrame) -> DataFrame:
        """Compares the student with its teacher on the held-out documents of these texts, see potstill.evaluate."""
        return evaluate(dataset.sparkSession, dataset, self.getConf())

    def _transform(self, dataset: DataFrame) -> DataFrame:
        conf = {key: value for key, value in self.getConf().items() if key in ("teacher.scratch", "teacher.threads")}
        return generate(dataset.sparkSession, dataset, self.getModel(), **{**conf, **self.getOptions()})
