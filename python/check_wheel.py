# SPDX-License-Identifier: Apache-2.0
"""What python/check does in its virtual environments: runs the notebook, or sees that a session is refused as it should be.

    python -I check_wheel.py notebook FILE FOLDER | no-jar | other-spark | connect

-I, so that Python finds the package that was installed, not the one beside this file.
"""

import sys
import time
from pathlib import Path


def notebook(file: str, folder: str) -> None:
    """Runs the cells in the folder, and leaves the notebook with its outputs there."""
    import nbformat
    from nbclient import NotebookClient
    begin = time.monotonic()
    pages = nbformat.read(file, as_version=4)
    if any(cell.get("outputs") for cell in pages.cells):
        sys.exit(f"{file} has outputs: clear them")
    # A cell that fails raises what it says.
    try:
        NotebookClient(pages, timeout=1800, resources={"metadata": {"path": folder}}).execute()
    finally:
        nbformat.write(pages, Path(folder) / "executed.ipynb")
    shown = [data for cell in pages.cells for output in cell.get("outputs", []) for data in output.get("data", {}).values()]
    if not any("<iframe srcdoc=" in data for data in shown):
        sys.exit("no cell showed the report")
    print(f"notebook: {sum(cell.cell_type == 'code' for cell in pages.cells)} cells in {time.monotonic() - begin:.0f} s")


def refused(name: str, call, *words: str) -> None:
    """Checks that a call is refused in one sentence with these words."""
    from potstill import PotstillError
    try:
        call()
    except PotstillError as e:
        said = str(e)
        if "\n" in said or not all(word in said for word in words):
            sys.exit(f"{name}: it says otherwise: {said}")
        print(f"{name}: {said}")
    else:
        sys.exit(f"{name}: it is not refused")


def plain():
    """A session that knows nothing of Potstill."""
    from pyspark.sql import SparkSession
    return SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()


def main(what: str, *arguments: str) -> None:
    import potstill
    if what == "notebook":
        notebook(*arguments)
    elif what == "no-jar":
        spark = plain()
        refused(what, lambda: potstill.label(spark, None, {}), "not on the class path", "potstill.session()", potstill.jar())
        spark.stop()
    elif what == "other-spark":
        refused(what, lambda: potstill.session("local[1]"), "this potstill is for Spark", "install the potstill wheel")
        spark = plain()
        refused(what, lambda: potstill.label(spark, None, {}), "with Scala", "and this is Spark " + spark.version)
        spark.stop()
    elif what == "connect":
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.remote("local[1]").getOrCreate()
        refused(what, lambda: potstill.label(spark, None, {}), "Spark Connect")
        spark.stop()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
