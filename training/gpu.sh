#!/usr/bin/env bash
# Trains parts of an adapter on a machine that has a GPU, reaches no network, and is lent for minutes.
#
#   training/gpu.sh pack [--model NAME] [--prose DIR] [--questions DIR]     # here, once: minutes of a processor
#   training/gpu.sh train PART MINUTES …                                    # there: slots, reader, address-head
#   training/gpu.sh back                                                    # here, when what was made has been carried back
#
# `pack` leaves files in .cache/gpu/parts, none over PIECE (55 MiB): the code, the model as it was published, texts and
# questions, read and tokenised. They are all that is needed there: carry them over, a few at a time if need be, then
#
#   cat parts/* | tar x -C SOMEWHERE && cd SOMEWHERE && training/gpu.sh train slots 8
#
# `train` takes parts one after the other, a process for each (two models at once don't fit), and leaves files under
# BACK_PIECE (15 MiB) in back/ (or in $OUT), whatever happens: adapters first, then checkpoints, which the same command
# goes on from. Put them into .cache/gpu/back for `back`. PYTHON: which one, where it isn't python3; GPU: a directory in
# place of .cache/gpu.
#
# `training/gpu.sh train` does on a processor what it does on a GPU, only slower.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} gpu=${GPU:-.cache/gpu}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True PYTHONUNBUFFERED=1

case ${1:-} in
pack)
    rm -rf "$gpu/packed" "$gpu/parts"
    mkdir -p "$gpu/packed" "$gpu/parts"
    git ls-files infinidoc training ':!infinidoc/adapters' | tar c -T - | tar x -C "$gpu/packed"
    "$python" training/gpu.py pack "$gpu/packed" "${@:2}"
    tar c -C "$gpu/packed" . | split -b "${PIECE:-55m}" - "$gpu/parts/part."
    ls -l "$gpu/parts"
    ;;
train)
    shift
    back=${OUT:-$PWD/back}
    mkdir -p runs "$back"
    carry_back() {
        tar c --exclude='*checkpoint*' --exclude=books.safetensors --exclude='questions*' runs | split -b "${BACK_PIECE:-15m}" - "$back/adapters.tar."
        find runs -name '*checkpoint*' | tar c -T - | split -b "${BACK_PIECE:-15m}" - "$back/checkpoints.tar."
    }
    trap carry_back EXIT
    while [ $# -gt 0 ]; do
        "$python" training/gpu.py train "$1" "$2" 2>&1 | tee -a "runs/$1.log"
        shift 2
    done
    ;;
back)
    for kind in adapters checkpoints; do cat "$gpu/back/$kind.tar."* | tar x -C "$gpu"; done
    find "$gpu/runs" -type f
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
