#!/usr/bin/env bash
# Init script of the GPU cluster: ONNX Runtime needs the cuBLAS, cuRAND and runtime libraries of CUDA 12. Where the image has those of
# another version, it installs NVIDIA's packages of them and tells the loader where they are; elsewhere it does nothing.
set -euo pipefail

libraries=(libcudart.so.12 libcublas.so.12 libcublasLt.so.12 libcurand.so.10)

missing() {
  local library known
  known="$(ldconfig -p; ls /usr/local/cuda/lib64 2> /dev/null || true)"
  for library in "${libraries[@]}"; do
    grep -qF "$library" <<< "$known" || printf '%s ' "$library"
  done
}

if [ -z "$(missing)" ]; then
  echo "cuda12: the image has ${libraries[*]}"
  exit 0
fi
echo "cuda12: the image lacks $(missing)"
target=/opt/potstill-cuda12
"${POTSTILL_PIP:-/databricks/python/bin/pip}" install --no-deps --target "$target" \
  nvidia-cuda-runtime-cu12 nvidia-cublas-cu12 nvidia-curand-cu12
printf '%s\n' "$target"/nvidia/*/lib > /etc/ld.so.conf.d/potstill-cuda12.conf
ldconfig
still="$(missing)"
if [ -n "$still" ]; then
  echo "cuda12: still missing: $still" >&2
  exit 1
fi
