import functools
import http.server
import threading

import pytest
import torch
import torchvision

from densecorr.convert import load_backbone
from densecorr.registry import MODELS
from densecorr.utils import download, transfer_progress


@pytest.fixture(scope='module')
def resnet_state():
    torch.manual_seed(0)
    return torchvision.models.resnet18().state_dict()


def resnet():
    return MODELS.build(dict(type='ResNet', depth=18))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on 127.0.0.1 with the files of ``tmp_path / 'web'``."""
    (tmp_path / 'web').mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(tmp_path / 'web'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{httpd.server_port}', asked
        httpd.shutdown()
        thread.join()


def test_web_address_is_fetched_once(server, tmp_path, resnet_state, monkeypatch):
    address, asked = server
    told = []
    monkeypatch.setattr(
        transfer_progress.TransferProgress,
        '__call__',
        lambda self, *args: told.append(args),
    )
    torch.save(resnet_state, tmp_path / 'web' / 'weights.pth')
    model = resnet()
    load_backbone(model, f'{address}/weights.pth', 'torchvision')
    assert torch.equal(model.conv1.weight, resnet_state['conv1.weight'])
    size = (tmp_path / 'web' / 'weights.pth').stat().st_size
    assert told[-1] == (size, size)
    count = len(asked)
    assert count >= 1
    load_backbone(model, f'{address}/weights.pth', 'torchvision')
    assert len(asked) == count
    assert len(list((tmp_path / 'cache').rglob('weights.pth'))) == 1


def test_web_address_that_is_absent(server, tmp_path):
    address, _ = server
    with pytest.raises(FileNotFoundError, match=r'no\.pth could not be fetched.*404'):
        load_backbone(resnet(), f'{address}/no.pth')
    assert not [p for p in (tmp_path / 'cache').rglob('*') if p.is_file()]


def test_download_logs_the_hash(server, tmp_path, capsys, monkeypatch):
    (tmp_path / 'web' / 'a.bin').write_bytes(b'abc')
    lines = []
    monkeypatch.setattr(download, 'print_log', lambda text, logger: lines.append(text))
    path = download.download(f'{server[0]}/a.bin')
    assert path.read_bytes() == b'abc'
    # sha256 of "abc", FIPS 180-2, appendix B.1
    digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert lines == [f'{server[0]}/a.bin is {path}, sha256 {digest}']
