"""Download a file once."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.logging import print_log

_BLOCK = 1 << 20


def download(address: str) -> Path:
    """Fetch an http(s) address into the cache of ``torch.hub``, unless it is there.

    The SHA-256 of the file is logged, so that it can be compared with a published one.

    Args:
        address: where the file is.

    Returns:
        Path of the file in the cache.

    Raises:
        FileNotFoundError: the address cannot be reached or has no such file.
    """
    mark = hashlib.sha256(address.encode()).hexdigest()[:8]
    folder = Path(torch.hub.get_dir()) / 'densecorr' / mark
    path = folder / (Path(urlparse(address).path).name or 'file')
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        progress = sys.stderr.isatty()
        try:
            torch.hub.download_url_to_file(address, str(path), progress=progress)
        except (URLError, OSError, ValueError) as error:
            raise FileNotFoundError(
                f'{address} could not be fetched ({error}). Download it on a machine '
                'with a network and give the path of the file instead.'
            ) from error
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    print_log(f'{address} is {path}, sha256 {digest.hexdigest()}', logger='current')
    return path
