from densecorr.utils.tree_listing import found_tree


def test_top_two_levels(tmp_path):
    for number in range(6):
        (tmp_path / 'a' / f'v{number}').mkdir(parents=True)
        (tmp_path / 'b' / f'{number}.JPG').parent.mkdir(exist_ok=True)
        (tmp_path / 'b' / f'{number}.JPG').touch()
    (tmp_path / 'b' / 'notes').touch()
    (tmp_path / 'empty').mkdir()
    (tmp_path / '.hidden').mkdir()
    assert found_tree(tmp_path).splitlines() == [
        f'Found in {tmp_path}:',
        '  ROOT/a/   6 folders (v0, v1, v2, v3, ...)',
        '  ROOT/b/   6 files .jpg, 1 files without suffix',
        '  ROOT/empty/   empty',
    ]


def test_many_folders_are_cut(tmp_path):
    for number in range(20):
        (tmp_path / f'{number:02d}').mkdir()
    lines = found_tree(tmp_path).splitlines()
    assert len(lines) == 14 and lines[-1] == '  ... 20 folders in all'


def test_nothing_to_list(tmp_path):
    assert found_tree(tmp_path) == f'Found in {tmp_path}:\n  nothing'
    place = tmp_path / 'none'
    assert found_tree(place) == f'Found: nothing, {place} is no folder.'
