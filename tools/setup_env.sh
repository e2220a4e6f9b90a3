#!/usr/bin/env bash
# Makes the environment of densecorr: .venv, unless a virtual environment is active.
#
#   bash tools/setup_env.sh     (quick the second time)
#
# run_tests.sh sources it and goes on in the environment.
#
# PYTHON              interpreter that makes .venv (default: python3)
# DENSECORR_PIP_ARGS  more arguments of every pip install, for example for a CPU or
#                     CUDA build of PyTorch

# Print roughly how much pip would fetch for the given requirements.
announce_download() {
  "$PY" - "$@" <<'PYTHON'
import json, os, subprocess, sys, urllib.parse, urllib.request

extra = os.environ.get('DENSECORR_PIP_ARGS', '').split()
pip = [sys.executable, '-m', 'pip', 'install', '--dry-run', '--quiet', '--report', '-']
done = subprocess.run([*pip, *extra, *sys.argv[1:]], capture_output=True, text=True)
size, known = 0, done.returncode == 0
for item in json.loads(done.stdout)['install'] if known else []:
    url = item['download_info']['url']
    try:
        if url.startswith('file:'):
            path = urllib.request.url2pathname(urllib.parse.urlparse(url).path)
            size += os.path.getsize(path)
        else:
            head = urllib.request.Request(url, method='HEAD')
            with urllib.request.urlopen(head, timeout=10) as answer:
                size += int(answer.headers['Content-Length'])
    except (OSError, TypeError, ValueError):
        known = False
        break
if known:
    print(f'PyTorch: about {size / 2**20:.0f} MB will be fetched.')
else:
    print('PyTorch: a CPU build fetches about 200 MB, a CUDA build 2 to 4 GB.')
print('Set DENSECORR_PIP_ARGS to choose another build.', flush=True)
PYTHON
}

pip_install() {
  # shellcheck disable=SC2086  # the arguments are words
  "$PY" -m pip install --quiet --disable-pip-version-check $DENSECORR_PIP_ARGS "$@"
}

# requirements/runtime.txt without a package whose other flavour is installed: mmcv in
# place of mmcv-lite, opencv-python-headless in place of opencv-python (never both).
runtime_requirements() {
  local left=''
  "$PY" -m pip show --quiet mmcv 2> /dev/null && left='mmcv-lite'
  "$PY" -m pip show --quiet opencv-python-headless 2> /dev/null &&
    left="$left opencv-python"
  sed '/^#/d' requirements/runtime.txt | while read -r line; do
    case " $left " in *" ${line%%[=<>]*} "*) ;; *) printf '%s\n' "$line" ;; esac
  done
}

# torch first and alone, then torchvision without what it would pull, then the rest
# with torch held: so a CPU build of torch stays.
install_requirements() {
  local torch vision held runtime status
  torch=$(grep '^torch==' requirements/torch.txt) || return 1
  vision=$(grep '^torchvision==' requirements/torch.txt) || return 1
  announce_download "$torch"
  pip_install "$torch" || return 1
  pip_install --no-deps "$vision" || return 1
  held=$(mktemp) && runtime=$(mktemp) || return 1
  printf '%s\n%s\n' "$torch" "$vision" > "$held"
  runtime_requirements > "$runtime"
  pip_install -c "$held" -r "$runtime" -r requirements/tests.txt
  status=$?
  rm -f "$held" "$runtime"
  [ $status -eq 0 ] || return $status
  "$PY" -m pip install --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation --editable .
}

# opencv-python needs libGL and glib; the headless flavour does not. Never both.
mend_opencv() {
  local message version
  message=$("$PY" -c 'import cv2' 2>&1) && return 0
  case "$message" in
    *libGL*|*libgthread*|*libglib*|*libxcb*|*libSM*|*libXext*) ;;
    *) printf '%s\nimport cv2 fails, see above.\n' "$message" >&2; return 1 ;;
  esac
  version=$("$PY" -c 'import importlib.metadata as m; print(m.version("opencv-python"))') ||
    { printf '%s\n' "$message" >&2; return 1; }
  echo "import cv2 fails for a missing system library: ${message##*ImportError: }"
  echo "Replacing opencv-python by opencv-python-headless $version."
  "$PY" -m pip uninstall --quiet --yes opencv-python || return 1
  pip_install "opencv-python-headless==$version" || return 1
  "$PY" -c 'import cv2'
}

# Import every run-time package once, so that a broken one is found now.
check_imports() {
  "$PY" -c '
import densecorr
import cv2, ftfy, mmcv, mmengine.runner, numpy, PIL, regex, safetensors, scipy
import tensorboard, timm, torch, torchvision
from densecorr.compat import import_mmseg, mmcv_flavour
import_mmseg()
import mmseg.evaluation, mmseg.structures
print("densecorr", densecorr.__version__, "torch", torch.__version__, mmcv_flavour())
'
}

fingerprint() {
  { cat requirements/runtime.txt requirements/torch.txt requirements/tests.txt \
      setup.py tools/setup_env.sh
    printf '%s %s' "$DENSECORR_PIP_ARGS" "$("$PY" --version)"; } |
    "$PY" -c 'import hashlib, sys
print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:16])'
}

setup_env() {
  local stamp
  if [ -z "${VIRTUAL_ENV:-}" ]; then
    [ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv || return 1
    # shellcheck disable=SC1091
    . .venv/bin/activate
  fi
  PY="$VIRTUAL_ENV/bin/python"
  stamp="$VIRTUAL_ENV/densecorr-$(fingerprint)"
  [ -e "$stamp" ] && return 0
  echo "Setting up $VIRTUAL_ENV"
  install_requirements && mend_opencv && check_imports || return 1
  rm -f "$VIRTUAL_ENV"/densecorr-*
  touch "$stamp"
}

if [ "${1:-}" != --functions ]; then  # tests take the functions alone
  cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
  setup_env || { echo 'Setting up the environment failed.' >&2; exit 1; }
fi
