#!/usr/bin/env bash
# Sets up the environment, then lints, type-checks and tests.
#
#   bash tools/run_tests.sh [--all] [pytest arguments]
#
# --all adds the slow tests (minutes, real video). Two processes share the files of
# tests; DENSECORR_TEST_WORKERS names another number, 0 runs all in one process.
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
workers=(-n "${DENSECORR_TEST_WORKERS:-2}" --dist loadfile --no-loadscope-reorder)
slowest=(--durations 25 --durations-min 5)
python -m pytest "${workers[@]}" "${slowest[@]}" "${arguments[@]}" || status=1
exit $status
