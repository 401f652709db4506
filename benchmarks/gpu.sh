#!/usr/bin/env bash
# On a machine with a GPU, within five minutes: do the model's tests pass there, and how fast is everything?
#
#   benchmarks/gpu.sh [DIRECTORY]      # what it finds goes there; default: .cache/gpu
#
# Needs infinidoc[dev] with a torch for that GPU, and the base model (infinidoc models pull). Each part has its own time
# and its own log; one that fails is named at the end, and the others go on. Written where no GPU was at hand.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "${1:-.cache/gpu}" && cd "${1:-.cache/gpu}" && pwd)
export INFINIDOC_KEEP=0
failed=()

part() { # NAME SECONDS COMMAND...
    local name=$1 seconds=$2 began=$SECONDS
    shift 2
    timeout --kill-after 5 "$seconds" "$@" > "$out/$name.log" 2>&1 || failed+=("$name")
    echo "$name: $((SECONDS - began)) s"
    tail -n 5 "$out/$name.log"
}

python -c 'import torch; print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: this times the processor")'
part tests 90 python -m pytest -q -x tests/model tests/memory -m 'not real'
part ingest 40 infinidoc ingest --collection gpu examples/library --precision bf16 --json
head -n 10 examples/questions.jsonl | cut -d'"' -f4 > "$out/questions.txt"
part ask 20 infinidoc ask --collection gpu --file "$out/questions.txt"
part reading 40 python benchmarks/reading.py --limit 60
part decoding 40 python benchmarks/decoding.py --precision bf16 --json
part ratios 60 python -m benchmarks.ingest --lengths 100k --rounds 1 --systems infinidoc_bf16,transformers_2k_bf16 --name gpu --out "$out"
infinidoc collections remove gpu --yes > /dev/null 2>&1
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}; see $out"; exit 1; }
