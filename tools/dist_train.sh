#!/usr/bin/env bash
# Train with GPUS processes: one per GPU, or on the CPU where there is none.
#
#   bash tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
#
# Several machines: run it on each with NNODES (how many), NODE_RANK (which, from 0),
# MASTER_ADDR (of machine 0) and PORT (free there) set. PORT unset = a free port.
if [ $# -lt 2 ]; then
  echo "usage: bash tools/dist_train.sh CONFIG GPUS [options]" >&2
  exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
CONFIG=$1 GPUS=$2
shift 2
launch "$GPUS" train.py "$CONFIG" "$@"
