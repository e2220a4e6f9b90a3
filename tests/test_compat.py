import importlib.util
import os
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import torch

from densecorr import compat

VERSIONS = {'torch': '2.13.0'}


def run(code: str, path: object = None) -> subprocess.CompletedProcess:
    lines = ['import sys', f'sys.path.insert(0, {str(path)!r})'] if path else []
    return subprocess.run(
        [sys.executable, '-c', '\n'.join([*lines, code])],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def installed(monkeypatch):
    """Pretend that exactly these packages are installed."""
    packages: dict[str, str] = {}
    monkeypatch.setattr(compat, '_version', packages.get)
    return packages


def test_import_densecorr_imports_no_torch():
    done = run('import densecorr, sys; print("torch" in sys.modules)')
    assert done.stdout == 'False\n'


def fake_torchvision(folder, extension: bytes | None) -> None:
    """A torchvision whose import needs the operator, like the real one."""
    package = folder / 'torchvision'
    package.mkdir()
    (package / '__init__.py').write_text(
        'import torch\n'
        "torch.library.register_fake('torchvision::nms')(lambda *a: None)\n"
    )
    if extension is not None:
        (package / '_C.so').write_bytes(extension)


def test_torchvision_with_a_foreign_extension_can_be_imported(tmp_path):
    fake_torchvision(tmp_path, b'not a shared object of this torch')
    plain = run('import torchvision', tmp_path)
    assert 'operator torchvision::nms does not exist' in plain.stderr
    guarded = run(
        'import densecorr, torchvision\n'
        'from densecorr import compat\n'
        'print(compat.declare_torchvision_operators())',
        tmp_path,
    )
    assert guarded.stdout == 'True\n', guarded.stderr


def test_torchvision_that_loads_is_left_alone(tmp_path):
    fake_torchvision(tmp_path, None)
    guarded = run('import densecorr, torchvision', tmp_path)
    assert 'operator torchvision::nms does not exist' in guarded.stderr


def test_torchvision_missing_declares_nothing(monkeypatch):
    monkeypatch.setattr(compat, '_library', None)
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: None)
    assert compat.declare_torchvision_operators() is False


def test_real_torchvision_timm_and_runner_import():
    done = run('import densecorr, torchvision, timm, mmengine.runner; print(1)')
    assert done.stdout == '1\n', done.stderr


def test_guards_are_installed_once(monkeypatch):
    monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))
    monkeypatch.delitem(sys.modules, 'torchvision', raising=False)
    before = len(sys.meta_path)
    compat.install_guards()
    once = len(sys.meta_path)
    compat.install_guards()
    assert len(sys.meta_path) == once <= before + 1
    assert any(type(f).__name__ == '_TorchvisionGuard' for f in sys.meta_path)


@pytest.mark.parametrize('name', ['mmcv', 'mmcv-lite'])
def test_mmcv_flavour(installed, name):
    installed[name] = '2.1.0'
    assert compat.mmcv_flavour() == name


def test_both_flavours_of_mmcv_are_refused(installed):
    installed.update({'mmcv': '2.1.0', 'mmcv-lite': '2.1.0'})
    with pytest.raises(
        ImportError, match=r'both installed.*pip uninstall -y mmcv mmcv'
    ):
        compat.mmcv_flavour()


def test_no_mmcv_names_the_remedy(installed):
    with pytest.raises(ImportError, match=r'No mmcv.*pip install -r requirements/run'):
        compat.mmcv_flavour()


def test_full_mmcv_is_asked_for_by_name(installed):
    installed['mmcv-lite'] = '2.1.0'
    with pytest.raises(ImportError, match=r'FCNHead needs.*mmcv-full\.txt'):
        compat.require_full_mmcv('FCNHead')
    installed.clear()
    installed['mmcv'] = '2.1.0'
    compat.require_full_mmcv('FCNHead')


def test_mmseg_imports_with_mmcv_lite():
    assert compat.import_mmseg().__name__ == 'mmseg'
    done = run('import densecorr, mmseg.evaluation, mmseg.structures; print(1)')
    assert done.stdout == '1\n', done.stderr


def test_mmseg_without_ftfy_names_the_remedy(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        compat.importlib.util, 'find_spec', lambda n: None if n == 'ftfy' else find(n)
    )
    with pytest.raises(ImportError, match=r"\['ftfy'\].*pip install ftfy"):
        compat.import_mmseg()


def test_limit_threads():
    torch_before, cv2_before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        compat.limit_threads(2)
        assert torch.get_num_threads() == 2
        assert cv2.getNumThreads() <= 1
    finally:
        torch.set_num_threads(torch_before)
        cv2.setNumThreads(cv2_before)


def test_available_cpus_follows_the_affinity(monkeypatch):
    assert compat.available_cpus() >= 1
    monkeypatch.setattr(
        compat.os, 'sched_getaffinity', lambda pid: {3, 5, 7}, raising=False
    )
    assert compat.available_cpus() == 3


def test_versions_name_what_is_there(installed):
    installed.update(VERSIONS)
    assert compat.versions() == VERSIONS


def test_version_of_an_absent_package():
    assert compat._version('densecorr-no-such-package') is None
    assert compat._version('numpy') == np.__version__


def test_guard_lets_other_imports_pass():
    assert compat._TorchvisionGuard().find_spec('json') is None


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ({}, ('10000', None)),
        ({'GOMP_SPINCOUNT': '7'}, ('7', None)),
        ({'OMP_WAIT_POLICY': 'ACTIVE'}, (None, 'ACTIVE')),
    ],
)
def test_waiting_threads_sleep_unless_the_user_chose(monkeypatch, before, after):
    for name in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    compat.share_cores()  # torch is here already: too late
    assert ('GOMP_SPINCOUNT' in os.environ) == ('GOMP_SPINCOUNT' in before)
    monkeypatch.delitem(sys.modules, 'torch')
    compat.share_cores()
    found = tuple(os.environ.get(n) for n in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'))
    monkeypatch.delenv('GOMP_SPINCOUNT', raising=False)
    assert found == after


def test_memory_of_large_arrays_is_kept_where_the_allocator_can(monkeypatch):
    """In a child: the setting stays for the life of a process."""
    code = """
        import resource, numpy as np
        from densecorr.compat import keep_freed_memory
        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(50):
                arrays = [np.empty(2_000_000, np.uint8) for _ in range(4)]
                for array in arrays:
                    array.fill(1)
                del array, arrays
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        faults()
        before, set_, after = faults(), keep_freed_memory(), (faults(), faults())
        print(set_, before, after[1])
    """
    done = run(textwrap.dedent(code))
    known, before, after = done.stdout.split()
    if known == 'True':
        assert int(after) < 0.1 * max(int(before), 1000)

    def without(name):
        raise OSError('no library')

    monkeypatch.setattr(compat.ctypes, 'CDLL', without)
    assert compat.keep_freed_memory() is False
    assert compat.return_freed_memory() is False


def test_freed_memory_is_returned():
    """In a child: every large array is of new pages."""
    code = """
        import resource, numpy as np
        from densecorr.compat import return_freed_memory
        set_ = return_freed_memory()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(50):
            np.empty(1_000_000, np.uint8).fill(1)
        print(set_, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    known, faults = run(textwrap.dedent(code)).stdout.split()
    if known == 'True':
        assert int(faults) > 50
