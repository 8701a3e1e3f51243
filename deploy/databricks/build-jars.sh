#!/usr/bin/env bash
# Builds the bundle's two jars, target/potstill-cuda.jar for GPUs and target/potstill.jar for CPUs:
#   deploy/databricks/build-jars.sh [OPTION...]      options of Maven, such as -Pspark4
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$here/../.."
mkdir -p "$here/target"
mvn -B -ntp -f "$root/pom.xml" package -DskipTests -Pcuda "$@"
cp "$root/spark-jobs/target/potstill.jar" "$here/target/potstill-cuda.jar"
mvn -B -ntp -f "$root/pom.xml" package -DskipTests "$@"
cp "$root/spark-jobs/target/potstill.jar" "$here/target/potstill.jar"
