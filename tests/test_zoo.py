"""The zoo: facts of the metafile, its page, and weights by ``zoo`` and ``zoo:NAME``."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config

from densecorr import cli
from densecorr.apis import zoo as zoo_module
from densecorr.apis.config import protocol_files, resolve, task_names
from densecorr.apis.zoo import (
    check_partly,
    fetch_from_zoo,
    find_entry,
    is_zoo,
    read_zoo,
)
from densecorr.apis.zoo_page import update_page
from densecorr.convert import SOURCES
from densecorr.registry import MODELS

from .file_server import serve
from .trees import moving_blobs, write_davis_tree, write_image, write_palette_png

ROOT = Path(__file__).resolve().parents[1]
MEASURES = {'J&F-Mean', 'J-Mean', 'F-Mean', 'mIoU', 'PCK@0.1', 'PCK@0.2'}
PEOPLE = ('drive.google', 'dropbox', 'onedrive', 'pan.baidu')  # no direct downloads
CATMAE_TABLE = {  # in its order: model types, then rows without one
    *('imagenet18', 'imagenet50', 'simsiam', 'mocov2', 'dino_r50', 'vfs', 'crw'),
    *('vitb16', 'dino_vits16', 'dino_vits8', 'vits16', 'vits8'),
    *('mae_st_vitb16', 'videomae_vitb16', 'siammae_vits16', 'siammae_vits8'),
    *('catmae_vits16', 'catmae_vits8'),
}
OTHERS = {
    *('vfs_res18', 'res18_d8', 'res18_d8_temporal', 'res50_d8', 'res18_d4', 'res50_d4'),
    *('dul_ytvos', 'dul_oxuva', 'dul_trackingnet', 'dul_kinetics'),
    *('smtc_vits16', 'smtc_vits16_s8', 'timet_vits16', 'dino_vitb16', 'dino_vitb8'),
    *('dinov2_vits14', 'dinov2_reg4_vits14', 'dinov3_vits16'),
}
PUBLISHED = {  # copied by hand from the sources; every other number is null
    'crw': dict(davis=(67.606, 64.5902, 70.6219), vip=(38.6,), jhmdb=(59.3, 84.9)),
    'vfs': dict(davis=(69.5, 67.0, 72.0)),
    'vfs_res18': dict(davis=(66.7, 64.0, 69.5)),
    'dino_vits16': dict(davis=(61.8, 60.2, 63.4)),
    'dino_vits8': dict(davis=(69.9, 66.6, 73.1)),
    'dino_vitb16': dict(davis=(62.3, 60.7, 63.9)),
    'dino_vitb8': dict(davis=(71.4, 67.9, 74.9)),
    'vits16': dict(davis=(62.5,)),
    'vits8': dict(davis=(70.4,)),
    'res18_d8_temporal': dict(davis=(69.2,), vip=(39.8,), jhmdb=(61.7, 81.5)),
    'res18_d8': dict(davis=(70.7,), vip=(40.9,), jhmdb=(63.5, 83.1)),
    'res50_d8': dict(davis=(71.2,), vip=(42.2,), jhmdb=(63.6, 83.8)),
    'res18_d4': dict(davis=(73.5,), vip=(42.0,), jhmdb=(65.6, 83.8)),
    'res50_d4': dict(davis=(74.1,), vip=(42.8,), jhmdb=(66.4, 84.4)),
    'dul_ytvos': dict(davis=(69.3,)),
    'dul_oxuva': dict(davis=(65.3,)),
    'dul_trackingnet': dict(davis=(69.4,)),
    'dul_kinetics': dict(davis=(68.7,)),
    'smtc_vits16': dict(davis=(64.0,)),
    'smtc_vits16_s8': dict(davis=(67.6,)),
    'dinov3_vits16': dict(davis=(72.7,)),
}


@pytest.fixture(scope='module')
def zoo():
    return read_zoo()


def test_every_published_row_has_an_entry(zoo):
    assert len(CATMAE_TABLE) == 18
    assert {entry.name for entry in zoo.entries} == CATMAE_TABLE | OTHERS


def test_every_config_has_an_entry(zoo):
    configs = {path.name for path in (ROOT / 'configs/test').glob('*.py')}
    assert {Path(entry.config).name for entry in zoo.entries} == configs


def test_every_training_has_an_entry_that_fits(zoo):
    configs = {path.name for path in (ROOT / 'configs/train').glob('*.py')}
    assert {Path(training.config).name for training in zoo.trainings} == configs
    assert len(zoo.trainings) == len(configs)
    for training in zoo.trainings:
        cfg = Config.fromfile(str(ROOT / training.config))
        assert cfg.model.type == training.method
        counts = cfg.optim_wrapper.get('accumulative_counts', 1)
        assert training.clips == cfg.train_dataloader.batch_size * counts
        lengths = {f'{n} {k[4:]}' for k, n in cfg.train_cfg.items() if k[:4] == 'max_'}
        assert training.length.replace('iterations', 'iters') in lengths
        for result in training.results:
            assert result.task in task_names(cfg)
            assert result.protocol == cfg.protocol.name


def test_published_numbers(zoo):
    found = {}
    for entry in zoo.entries:
        for result in entry.results:
            assert result.measure in MEASURES
            assert result.measured is None  # nothing was measured on a whole split yet
            if result.paper is not None:
                assert result.origin.startswith(('paper', 'README', 'MODEL_CARD'))
                scores = found.setdefault(entry.name, {}).get(result.task, ())
                found[entry.name][result.task] = (*scores, round(100 * result.paper, 4))
    assert found == PUBLISHED


def test_rows_of_the_catmae_table_are_by_its_protocols(zoo):
    for name in CATMAE_TABLE:
        protocols = {r.protocol for r in zoo.named(name).results}
        wanted = 'catmae_s8' if name.endswith('vits8') else 'catmae_s16'
        assert wanted in protocols, name


def test_entries_fit_their_configs(zoo):
    known = protocol_files()
    for entry in zoo.entries:
        cfg = Config.fromfile(str(ROOT / entry.config))
        assert entry.weights.source in SOURCES
        assert entry.weights.source == cfg.get('checkpoint_source'), entry.name
        for result in entry.results:
            assert result.task in task_names(cfg)
            assert result.protocol in known
        assert cfg.protocol.name == entry.results[0].protocol


def test_options_of_the_rows_exist(zoo):
    rows = {
        (e.config, r.task, r.protocol, json.dumps({**r.options, **r.released}))
        for e in zoo.entries
        for r in e.results
        if r.options or r.released
    }
    assert len(rows) == 8  # six ResNets as released, two ViTs with other statistics
    for config, task, protocol, options in sorted(rows):
        cfg = resolve(ROOT / config, task, protocol, json.loads(options))
        if 'zero_batches' in options:
            with torch.device('meta'):
                MODELS.build(cfg.model.backbone)
        else:
            assert list(cfg.model.inputs.std) == [0.229, 0.224, 0.225]


def test_addresses_are_direct_and_pages_are_not(zoo):
    for entry in zoo.entries:
        weights = entry.weights
        assert weights.origin
        assert weights.licence
        if weights.address is None:
            assert weights.page is None or weights.page.startswith('https://')
            continue
        assert re.match(r'https://|torchvision:|timm:', weights.address), entry.name
        assert not any(site in weights.address for site in PEOPLE)
        assert weights.page is None


def test_dul_files_have_the_published_digits(zoo):
    digits = {
        e.name: e.weights.checksum for e in zoo.entries if e.name.startswith('dul_')
    }
    assert digits == {
        'dul_oxuva': 'md5:af541...d09b3',
        'dul_ytvos': 'md5:c3ae3...55faf',
        'dul_trackingnet': 'md5:3e7e9...95fa9',
        'dul_kinetics': 'md5:086db...a7d98',
    }


def test_page_shows_the_metafile(tmp_path):
    page = ROOT / 'docs/zoo.md'
    copy = shutil.copy(page, tmp_path)
    update_page(copy)
    assert Path(copy).read_text('utf-8') == page.read_text('utf-8')


def test_page_without_marks_is_refused(tmp_path):
    (tmp_path / 'page.md').write_text('# Zoo\n')
    with pytest.raises(ValueError, match=r'has no lines .*results: made from .*end'):
        update_page(tmp_path / 'page.md')


def metafile(tmp_path, change):
    content = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
    content['entries'] = content['entries'][:2]
    change(content)
    path = tmp_path / 'metafile.yml'
    path.write_text(yaml.safe_dump(content))
    return path


def changed(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (
            changed('entries', 0, 'results', 0, 'paper', value=0.5),
            r"'imagenet18': davis J&F-Mean 0.5 has no source\. .* or write paper: null",
        ),
        (
            changed('entries', 0, 'results', 0, 'measured', value=61.2),
            r'61\.2 should be a fraction in \[0, 1\]',
        ),
        (
            changed('entries', 0, 'weights', 'url', value='x'),
            r"its weights: unknown fields \['url'\], missing fields \[\]",
        ),
        (
            changed('entries', 0, 'weights', value={'address': None}),
            r"missing fields \['origin', 'source', 'licence'\]",
        ),
        (
            changed('entries', 1, 'name', value='imagenet18'),
            r"entry 'imagenet18' comes twice",
        ),
        (
            changed('entries', 0, 'data', value=['ucf']),
            r"data \['ucf'\] are not among the datasets",
        ),
        (
            changed('entries', 0, 'weights', 'checksum', value='af541[...]d09b3'),
            r"checksum 'af541\[...\]d09b3' has not the form md5:",
        ),
        (
            changed('trainings', 0, 'data', value=['ucf']),
            r"training 'configs/train/crw_res18_k400.py': data \['ucf'\] are not",
        ),
        (changed('models', value=[]), 'the keys datasets, entries, trainings'),
    ],
)
def test_wrong_metafile_is_refused(tmp_path, change, text):
    with pytest.raises(ValueError, match=text):
        read_zoo(metafile(tmp_path, change))


def test_zoo_is_the_first_entry_of_a_config(zoo, monkeypatch, tmp_path):
    path = ROOT / 'configs/test/dul_res18.py'
    assert find_entry('zoo', path, zoo).name == 'dul_ytvos'
    assert find_entry('zoo:dul_oxuva', path, zoo).name == 'dul_oxuva'
    monkeypatch.chdir(tmp_path)  # the config that densecorr ships
    assert find_entry('zoo', 'configs/test/res18_d8.py', zoo).name == 'res18_d8'
    assert is_zoo('zoo')
    assert not is_zoo('zoo.pth')
    assert not is_zoo(None)


def test_unknown_names_are_told(zoo):
    with pytest.raises(
        KeyError, match=r"no 'dul_kinetic'\. Did you mean 'dul_kinetics'"
    ):
        find_entry('zoo:dul_kinetic', 'any.py', zoo)
    with pytest.raises(KeyError, match=r'no weights for mine/crw\.py\. Name an entry'):
        find_entry('zoo', 'mine/crw.py', zoo)


def test_weights_on_a_page_are_told(zoo):
    for name, text in {
        'res18_d8': r'download them from https://drive\.google\S+ and give the path',
        'siammae_vits16': r'no weights of zoo:siammae_vits16 are published \(DAVIS',
    }.items():
        with pytest.raises(FileNotFoundError, match=text):
            fetch_from_zoo('zoo', f'configs/test/{name}.py', zoo=zoo)


def test_other_checkpoints_pass():
    assert fetch_from_zoo('a.pth', 'any.py', 'dino') == ('a.pth', 'dino')


def test_addresses_of_libraries_pass(zoo):
    config = 'configs/test/imagenet_res18.py'
    found = fetch_from_zoo('zoo', config, zoo=zoo)
    assert found == ('torchvision:resnet18', 'torchvision')
    assert fetch_from_zoo('zoo', config, 'timm', zoo=zoo)[1] == 'timm'


def test_partial_checksum(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'abc')  # md5 900150983cd24fb0d6963f7d28e17f72
    for good in ('md5:9001...17f72', 'md5:90015098...', 'sha256:ba7816bf...15ad'):
        check_partly(path, good, 'https://a')
    for bad in ('md5:9001...17f73', 'md5:9002...17f72', 'sha1:ba7816bf...'):
        with pytest.raises(ValueError, match='published is'):
            check_partly(path, bad, 'https://a')
    text = r'https://a has md5 900150983cd24fb0d6963f7d28e17f72, published is 9001\.'
    with pytest.raises(ValueError, match=text):
        check_partly(path, 'md5:9001...0', 'https://a')


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of CRW weights, and the metafile's entry that has them."""
    torch.manual_seed(0)
    backbone = Config.fromfile(str(ROOT / 'configs/test/crw_res18.py')).model.backbone
    state = MODELS.build(backbone).state_dict()
    file = tmp_path / 'crw.pth'
    torch.save(dict(model={f'encoder.model.{k}': v for k, v in state.items()}), file)
    digits = hashlib.md5(file.read_bytes()).hexdigest()
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'cache'))
    with serve() as server:
        server.files['/crw.pth'] = file.read_bytes()

        def lent(address='/crw.pth', checksum=f'md5:{digits[:5]}...{digits[-5:]}'):
            content = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
            content['entries'] = [e for e in content['entries'] if e['name'] == 'crw']
            content['entries'][0]['weights'].update(
                address=f'{server.address}{address}', checksum=checksum
            )
            path = tmp_path / 'metafile.yml'
            path.write_text(yaml.safe_dump(content))
            return read_zoo(path)

        yield lent


def test_weights_are_fetched_once_and_checked(served, tmp_path):
    zoo = served()
    config = ROOT / 'configs/test/crw_res18.py'
    address, source = fetch_from_zoo('zoo', config, fetch=False, zoo=zoo)
    assert address.startswith('http://127.0.0.1')
    assert not (tmp_path / 'cache').exists()
    path, source = fetch_from_zoo('zoo:crw', config, zoo=zoo)
    assert source == 'crw'
    assert Path(path).read_bytes() == (tmp_path / 'crw.pth').read_bytes()
    assert fetch_from_zoo('zoo', config, zoo=zoo) == (path, source)
    with pytest.raises(ValueError, match=r'has md5 \w{32}, published is 0{5}\.\.\.1'):
        fetch_from_zoo('zoo', config, zoo=served(checksum='md5:00000...11111'))
    with pytest.raises(FileNotFoundError, match='with a network and give the path'):
        fetch_from_zoo('zoo', config, zoo=served('/gone.pth'))


@pytest.fixture
def lending(served, monkeypatch):
    """The programs find the served weights in their zoo."""
    zoo = served()
    monkeypatch.setattr(zoo_module, 'read_zoo', lambda: zoo)


def test_evaluation_takes_weights_of_the_zoo(lending, tmp_path, capsys):
    root = write_davis_tree(tmp_path / 'davis', {'dog': 3})
    run = ['test', str(ROOT / 'configs/test/crw_res18.py'), 'davis', 'zoo']
    run += ['--data', str(root), '--device', 'cpu', '--threads', '1']
    assert cli.main([*run, '--dry-run=fast']) == 0
    assert not (tmp_path / 'cache').exists()  # a fast estimate fetches nothing
    out = ['--out', str(tmp_path / 'out'), '--yardsticks', 'none', '--no-votes']
    assert cli.main([*run, *out]) == 0
    facts = json.loads((tmp_path / 'out/run.json').read_text())
    assert facts['checkpoint'] == 'zoo'
    log = ''.join(p.read_text() for p in (tmp_path / 'out/logs').rglob('*.log'))
    assert 'crw.pth (crw, verified)' in log
    run[1] = str(ROOT / 'configs/test/vfs_res18.py')
    capsys.readouterr()
    assert cli.main(run) == 1
    text = capsys.readouterr().err
    assert 'KeyError: the zoo has no weights for' in text


def test_tracking_takes_weights_of_the_zoo(lending, tmp_path, capsys):
    frames, label_maps = moving_blobs(2)
    for t in range(2):
        write_image(tmp_path / f'clip/{t:05d}.jpg', frames[t])
    write_palette_png(tmp_path / 'first.png', label_maps[0])
    run = ['track', str(tmp_path / 'clip'), '--mask', str(tmp_path / 'first.png')]
    run += ['--device', 'cpu', '--threads', '1', '--overlay', 'none']
    config = str(ROOT / 'configs/test/crw_res18.py')
    for i, words in enumerate((['zoo:crw'], [config, '--checkpoint', 'zoo'])):
        out = str(tmp_path / f'out{i}')
        assert cli.main([*run, '--out', out, '--model', *words]) == 0
    assert cli.main([*run, '--out', out, '--model', 'zoo:crow']) == 1
    assert "the zoo has no 'crow'. Did you mean 'crw'?" in capsys.readouterr().err
