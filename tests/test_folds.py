import zlib

import pytest

from densecorr.utils.folds import in_fold, name_hash


def test_folds_share_the_names_out():
    names = [f'{i:03x}' for i in range(400)]
    folds = [{name for name in names if in_fold(name, (5, k))} for k in range(5)]
    assert sum(map(len, folds)) == len(set().union(*folds)) == len(names)
    assert all(40 < len(fold) < 120 for fold in folds)
    assert name_hash('0a49f5265b') == zlib.crc32(b'0a49f5265b')


@pytest.mark.parametrize('fold', [(5, 5), (5, -1), (5,), (0, 0)])
def test_there_is_no_such_fold(fold):
    with pytest.raises(ValueError, match=r'give \(n, k\), part k of n'):
        in_fold('a', fold)
