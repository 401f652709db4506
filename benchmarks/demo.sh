#!/usr/bin/env bash
# `make demo` from a fresh clone, part by part: what does somebody wait for who tries infinidoc?
#
#   benchmarks/demo.sh [DOCUMENTS]        # default: examples/library, which the demo reads
#   ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 benchmarks/demo.sh
#
# Of a question: seconds to the first word and to the end, each from the shell, with nothing left behind that is warm.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
git clone --quiet "$root" "$place/infinidoc"
cd "$place/infinidoc"
export INFINIDOC_HOME=$PWD/.cache/infinidoc INFINIDOC_KEEP=0

now() { date +%s.%N; }
since() { awk "BEGIN { printf \"%.1f s\", $(now) - $1 }"; }
part() { # NAME COMMAND...
    local name=$1 began
    began=$(now)
    shift
    "$@" > "$place/log" 2>&1 || { cat "$place/log"; exit 1; }
    echo "$name: $(since "$began")"
}
ask() { # QUESTION
    local began first=
    began=$(now)
    while IFS= read -r -n 1 _; do
        [ -n "$first" ] || first=$(since "$began")
    done < <(.venv/bin/infinidoc ask --collection demo "$1" 2> "$place/log")
    [ -n "$first" ] || { cat "$place/log"; exit 1; }
    echo "first word after $first, all after $(since "$began"): $1"
}

whole=$(now)
part installing make .venv/core
part model make model
part ingest .venv/bin/infinidoc ingest --collection demo "${1:-examples/library}"
ask "When does the work on the roof begin?"
ask "What is the highest point of Belize?"
ask "When will Imogen Hollis come to service the boiler?"
echo "all of it: $(since "$whole")"
