import subprocess
import sys
import time

import pytest

import densecorr
from densecorr import cli
from densecorr.utils import paths

PROGRAM = '''"""Add two numbers.

More.
"""
import argparse

def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument('a', type=int)
    parser.add_argument('b', type=int)
    args = parser.parse_args(argv)
    print(args.a + args.b)
    return args.a
'''


@pytest.fixture
def tools(tmp_path, monkeypatch):
    (tmp_path / 'add.py').write_text(PROGRAM)
    (tmp_path / 'convert_checkpoint.py').write_text('"""Convert."""')
    (tmp_path / '_private.py').write_text('"""Not a command."""')
    monkeypatch.setattr(cli, 'tools_root', lambda: tmp_path)
    return tmp_path


def test_commands_are_the_programs(tools):
    assert cli.commands() == dict(
        add=tools / 'add.py', convert=tools / 'convert_checkpoint.py'
    )


def test_usage_shows_first_lines(tools, capsys):
    assert cli.main(['--help']) == 0
    assert '  add          Add two numbers.\n  convert      Convert.\n' in (
        capsys.readouterr().out
    )
    assert cli.main([]) == 0
    assert capsys.readouterr().out == cli.usage()


def test_arguments_and_status_pass_through(tools, capsys):
    assert cli.main(['add', '2', '3']) == 2
    assert capsys.readouterr().out == '5\n'
    assert cli.main(['add', '0', '3']) == 0


def test_unknown_command_names_the_nearest(tools, capsys):
    assert cli.main(['ad']) == 2
    text = capsys.readouterr().err
    assert text.startswith("densecorr: 'ad' is not a command. Did you mean 'add'?")


def test_version(capsys):
    assert cli.main(['--version']) == 0
    assert capsys.readouterr().out == densecorr.__version__ + '\n'


def test_every_program_has_a_main_and_a_first_line():
    for name, program in cli.commands().items():
        text = program.read_text()
        assert 'def main(argv: ' in text, name
        assert text.startswith('"""'), name


def test_help_imports_no_torch_and_is_quick():
    code = (
        'import sys; from densecorr.cli import main; main(["--help"])\n'
        'print(sorted({"torch", "mmengine", "numpy"} & set(sys.modules)))'
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, check=True
        )
        seconds.append(time.perf_counter() - start)
        assert done.stdout.splitlines()[-1] == '[]'
    assert min(seconds) < 1


def test_paths_of_the_checkout():
    assert paths.config_root().name == 'configs'
    assert paths.data_info_root().parts[-2:] == ('data', 'data_info')
    assert (paths.tools_root() / 'run_tests.sh').is_file()


def test_missing_folder_names_both_places(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, '_PACKAGE', tmp_path / 'densecorr')
    with pytest.raises(FileNotFoundError, match=r'configs.*Install densecorr again'):
        paths.config_root()
    with pytest.raises(FileNotFoundError, match=r'data_info.*full checkout'):
        paths.data_info_root()
    with pytest.raises(FileNotFoundError, match='tools of densecorr is neither'):
        paths.tools_root()
    (tmp_path / 'densecorr' / 'configs').mkdir(parents=True)
    assert paths.config_root() == tmp_path / 'densecorr' / 'configs'
