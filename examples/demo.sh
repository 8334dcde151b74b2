#!/usr/bin/env bash
# The main job on a small network: float32 to int8 to machine code, by JIT and ahead of time, with accuracy and speed
# measured: examples/demo.sh [BUILD_DIR]. Writes BUILD_DIR/demo/report.html and report.json; fails if a check does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build}
lapis=$build/bin/lapis
work=$build/demo
model=examples/fashion_mnist/fashion_mnist.onnx
data=examples/fashion_mnist/eval.yaml
images=2000 # compared between the C program and the JIT
export PYTHONDONTWRITEBYTECODE=1

step() { printf '\033[1m-- %s\033[0m (after %d s)\n' "$*" "$SECONDS" >&2; }
rm -rf "$work"
mkdir -p "$work"
cp "$model" "$work/fp32.onnx"

step "quantizing with 256 calibration images"
"$lapis" quantize "$model" --calibration "$data" --samples 256 -o "$work/int8.onnx" --json >"$work/quantize.json"

step "accuracy on the test images, fp32 and int8 in pairs"
"$lapis" eval "$work/int8.onnx" --against "$model" --data "$data" --json >"$work/accuracy.json"

step "latency, fp32 and int8 in turn"
for turn in 1 2 3; do
  for precision in fp32 int8; do
    "$lapis" bench "$work/$precision.onnx" --rounds 5 --json >"$work/bench-$precision-$turn.json"
  done
done
for turn in 1 2 3 4 5 6 7 8 9; do
  "$lapis" explain "$work/int8.onnx" --json >"$work/explain-$turn.json"
done

step "ahead of time: model.o and model.h, and a C program of nothing else"
"$lapis" compile "$work/int8.onnx" --emit object -o "$work/model"
"${CC:-cc}" -std=c11 -O2 -Wall -Wextra -I "$work" examples/demo/aot.c "$work/model.o" -o "$work/aot"

step "outputs of the C program and of the JIT, $images images"
python3 examples/demo/inputs.py examples/fashion_mnist "$work/images" "$images"
"$lapis" run "$work/int8.onnx" --input "image=@$work/images.npy" --output "$work/jit" >/dev/null
"$work/aot" <"$work/images.raw" >"$work/aot.raw"

python3 examples/demo/report.py "$work"
