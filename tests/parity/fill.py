"""Deterministic weights for the parity cases.

Every tensor's values depend only on its checkpoint key and its shape, so a
case ships the key list of a model instead of its weights:

    state_dict = {key: torch.from_numpy(fill(key, shape)) for key, shape in keys}

``numpy.random.RandomState`` is used because its stream is frozen across numpy
versions.
"""

import zlib

import numpy as np


def fill(key, shape):
    """Values of one checkpoint tensor.

    Args:
        key (str): The tensor's full name in the official checkpoint.
        shape (Sequence[int]): Its shape; ``()`` for a scalar.

    Returns:
        np.ndarray: float32 of ``shape`` (int64 zeros for
        ``num_batches_tracked``). Matrices and kernels have variance
        ``1 / fan_in``, norm weights scatter around one, biases and running
        means around zero.
    """
    shape = tuple(int(n) for n in shape)
    leaf = key.rsplit('.', 1)[-1]
    if leaf == 'num_batches_tracked':
        return np.zeros(shape, np.int64)
    noise = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if leaf == 'running_var':
        values = 1 + 0.1 * np.abs(noise)
    elif len(shape) >= 2:
        values = noise / np.sqrt(np.prod(shape[1:]))
    elif leaf == 'weight':
        values = 1 + 0.1 * noise
    else:
        values = 0.1 * noise
    return np.asarray(values, np.float32)
