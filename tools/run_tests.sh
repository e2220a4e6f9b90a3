#!/usr/bin/env bash
# Sets up the environment, then lints, type-checks and tests.
#
#   bash tools/run_tests.sh [--all] [pytest arguments]
#
# --all adds the slow tests (minutes, real video).
cd "$(dirname "$0")/.." || exit 1
arguments=()
for argument in "$@"; do
  if [ "$argument" = --all ]; then arguments+=(-m ''); else arguments+=("$argument"); fi
done
set --  # setup_env.sh is sourced: it must not see our arguments
. tools/setup_env.sh
status=0
python -m ruff check . || status=1
python -m ruff format --check . || status=1
python -m mypy densecorr || status=1
python -m pytest "${arguments[@]}" || status=1
exit $status
