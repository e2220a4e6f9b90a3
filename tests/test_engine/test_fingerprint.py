import hashlib
import json

import numpy as np
import pytest

from densecorr.engine import fingerprint
from densecorr.engine.fingerprint import (
    canonical,
    canonical_json,
    check_same,
    code_version,
    digest,
    first_difference,
)


def test_canonical_json_is_independent_of_order_and_container():
    a = dict(b=(1, 2), a=dict(y=None, x={2, 1}), n=np.float64(0.5))
    b = dict(n=0.5, a=dict(x=[1, 2], y=None), b=[1, 2])
    assert canonical_json(a) == canonical_json(b)
    assert canonical_json(a) == '{"a":{"x":[1,2],"y":null},"b":[1,2],"n":0.5}'


def test_canonical_survives_json():
    value = canonical(dict(a=1, b=1.0, c=float('inf'), d=[True, None, 'x']))
    assert json.loads(json.dumps(value)) == value
    assert value['c'] == 'inf'


def test_canonical_refuses_objects():
    with pytest.raises(TypeError, match=r'cannot be part of a fingerprint.*Use'):
        canonical(dict(a=object()))


def test_digest_is_sha256_of_the_canonical_json():
    assert digest(dict(a=1)) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize(
    ('found', 'difference'),
    [
        (dict(a=1, b=dict(c=[1, 2])), None),
        (dict(a=1, b=dict(c=[1, 3])), ('b.c[1]', 2, 3)),
        (dict(a=1, b=dict(c=[1])), ('b.c[1]', 2, '(absent)')),
        (dict(a=1, b=dict(c=[1, 2], d=0)), ('b.d', '(absent)', 0)),
        (dict(b=dict(c=[1, 2])), ('a', 1, '(absent)')),
        (dict(a=1.0, b=dict(c=[1, 2])), ('a', 1, 1.0)),
        (dict(a=1, b=7), ('b', dict(c=[1, 2]), 7)),
    ],
)
def test_first_difference(found, difference):
    assert first_difference(dict(a=1, b=dict(c=[1, 2])), found) == difference


def test_check_same_names_field_values_and_remedy():
    check_same(dict(a=(1, 2)), dict(a=[1, 2]), 'x.json')
    with pytest.raises(
        ValueError, match=r'x\.json .* protocol\.topk was 5 there and is 10 now.*--over'
    ):
        check_same(dict(protocol=dict(topk=10)), dict(protocol=dict(topk=5)), 'x.json')


def test_code_version_follows_the_sources(tmp_path, monkeypatch):
    (tmp_path / 'ops').mkdir()
    (tmp_path / 'apis').mkdir()
    for name in ('__init__', 'ops/walk', 'apis/evaluate'):
        (tmp_path / f'{name}.py').write_text('x = 1\n')
    monkeypatch.setattr(
        fingerprint.densecorr, '__file__', str(tmp_path / '__init__.py')
    )

    def sources():
        code_version.cache_clear()
        return code_version()['sources']

    try:
        first = sources()
        assert sources() == first
        (tmp_path / 'apis/evaluate.py').write_text('x = 2\n')
        assert sources() == first
        (tmp_path / 'ops/walk.py').write_text('x = 2\n')
        assert sources() != first
    finally:
        code_version.cache_clear()


def test_code_version_has_packages_without_build_suffix():
    packages = code_version()['packages']
    assert {'torch', 'numpy', 'opencv'} <= set(packages)
    assert not any('+' in version for version in packages.values())
