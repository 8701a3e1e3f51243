# SPDX-License-Identifier: Apache-2.0
"""The jobs, as the command line has them."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

from potstill.sessions import PotstillError, facade, in_notebook, text

if TYPE_CHECKING:
    from py4j.java_gateway import JavaClass, JavaObject
    from pyspark.sql import DataFrame, SparkSession

# Python 3.9, as on EMR, has no other way.
Conf = Union[Mapping[str, Any], str]  # noqa: UP007
"""Settings by their names, or the path of a file of settings. The key conf names a file beneath the others; sections may be nested."""

_USER_ERROR = "org.potstill.errors.UserException"


def label(spark: SparkSession, texts: DataFrame | None, conf: Conf) -> DataFrame:
    """Scores texts or conversations with the teacher, as far as the cache lacks them.

    texts: with the column corpus.text-field (text) or conversations, and corpus.id-field if it is set; None for the corpus of conf.
    Returns a row per sequence of the documents that are not held out: document, sequence, key, tokens, distributions (ids and
    probabilities of each position), teacher_loss and teacher_entropy.
    """
    return _job(spark, conf, lambda java, settings: java.label(spark._jsparkSession, _java(texts), settings))


def train(spark: SparkSession, conf: Conf) -> DataFrame:
    """Trains the student on the labels of the last label run.

    Returns a row per step: step, loss, kl, cross_entropy and positions.
    """
    return _job(spark, conf, lambda java, settings: java.train(spark._jsparkSession, settings), shown=True)


def evaluate(spark: SparkSession, texts: DataFrame | None, conf: Conf) -> DataFrame:
    """Compares the student with its teacher on the held-out documents of the texts that were labelled.

    Returns a row per text and model, with its scores.
    """
    return _job(spark, conf, lambda java, settings: java.evaluate(spark._jsparkSession, _java(texts), settings), shown=True)


def write(spark: SparkSession, prompts: DataFrame | None, conf: Conf) -> DataFrame:
    """Has the teacher answer prompts, and returns the conversations."""
    return _job(spark, conf, lambda java, settings: java.write(spark._jsparkSession, _java(prompts), settings))


def generate(spark: SparkSession, prompts: DataFrame | Sequence[str] | str, model: str, **options: Any) -> DataFrame:
    """Continues prompts with a model on the driver's CPU, one by one, and returns them with a column text.

    prompts: a DataFrame with a column prompt, strings, or one. options: chat, system, plain_text, max_new_tokens, temperature, top_p, top_k
    and seed, as `potstill generate` has them. For many prompts there is write().
    """
    if isinstance(prompts, str):
        prompts = [prompts]
    rows = spark.createDataFrame([(each,) for each in prompts], "prompt string") if isinstance(prompts, (list, tuple)) else prompts
    with _told():
        java = facade(spark)
        settings = _map(spark, {name.replace("_", "-"): value for name, value in options.items() if value is not None})
        return _python(spark, java.generate(spark._jsparkSession, _java(rows), model, settings))


class Report:
    """The report of the jobs so far: a page in a notebook."""

    def __init__(self, path: str, page: str):
        self.path = path
        self.page = page

    def _repr_html_(self) -> str:
        # A frame keeps the page's style apart from the notebook's.
        return (f'<iframe srcdoc="{html.escape(self.page)}" style="width: 100%; height: 40em; border: 1px solid #ccc" sandbox></iframe>'
                if self.page else f"<p>There is no report in {html.escape(self.path)} yet.</p>")

    def __repr__(self) -> str:
        return f"report: {self.path}"


def report(spark: SparkSession, conf: Conf) -> Report:
    """The report that the settings name."""
    with _told():
        java = facade(spark)
        settings = _map(spark, settings_of(conf))
        return Report(java.reportPath(spark._jsparkSession, settings), java.report(spark._jsparkSession, settings))


def settings_of(conf: Conf) -> dict[str, str]:
    """Settings as text by their full names."""
    if isinstance(conf, str):
        return {"conf": conf}
    flat: dict[str, str] = {}

    def add(prefix: str, section: Mapping[str, Any]) -> None:
        for key, value in section.items():
            if isinstance(value, Mapping):
                add(f"{prefix}{key}.", value)
            elif value is not None:
                flat[prefix + key] = text(value)

    add("", conf)
    return flat


def _job(spark: SparkSession, conf: Conf, call: Callable[[JavaClass, JavaObject], JavaObject], shown: bool = False) -> DataFrame:
    with _told():
        java = facade(spark)
        with _progress(java):
            result = call(java, _map(spark, settings_of(conf)))
    if shown and in_notebook():
        from IPython.display import display
        display(report(spark, conf))
    return _python(spark, result)


def _map(spark: SparkSession, settings: Mapping[str, str]) -> JavaObject:
    made = spark._jvm.java.util.TreeMap()
    for key, value in settings.items():
        made.put(key, text(value))
    return made


def _java(rows: DataFrame | None) -> JavaObject | None:
    return None if rows is None else rows._jdf


def _python(spark: SparkSession, rows: JavaObject) -> DataFrame:
    from pyspark.sql import DataFrame
    return DataFrame(rows, spark)


@contextmanager
def _told() -> Iterator[None]:
    """Raises what the user can fix as PotstillError, without Java's stack trace."""
    from py4j.protocol import Py4JJavaError
    try:
        yield
    except Py4JJavaError as e:
        if e.java_exception.getClass().getName() == _USER_ERROR:
            raise PotstillError(e.java_exception.getMessage()) from None
        raise


@contextmanager
def _progress(java: JavaClass, seconds: float = 1.0) -> Iterator[None]:
    """Shows in a notebook how far the task under way has come; elsewhere Java's log does."""
    if not in_notebook():
        yield
        return
    from IPython.display import HTML, display
    handle = display(HTML(""), display_id=True)
    ended = threading.Event()

    def show() -> None:
        last = ""
        while not ended.wait(seconds):
            now = java.progress()
            if now and now != last:
                task, done, total = now.split("\t")
                share = int(done) / max(1, int(total))
                handle.update(HTML(f'<progress value="{share:.4f}"></progress> {html.escape(task)}: {int(done):,} of {int(total):,}'))
                last = now

    thread = threading.Thread(target=show, name="potstill-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        handle.update(HTML(""))
