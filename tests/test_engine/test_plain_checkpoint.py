import shutil
from pickle import UnpicklingError

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import Dataset

from densecorr.engine.plain_checkpoint import PlainCheckpointHook
from densecorr.registry import HOOKS
from densecorr.utils.checkpoints import hash_tensors, read_checkpoint


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def forward(self, x, mode='tensor'):
        return dict(loss=(self.weight * torch.stack(x) - 1).square().mean())


class Numbers(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return dict(x=torch.tensor([1.0, i + 1.0, (i + 1.0) ** 0.5]))


def train(folder, epochs: int, resume: bool = False, plain: bool = True) -> Line:
    model = Line()
    runner = Runner(
        model,
        str(folder),
        train_dataloader=dict(
            dataset=Numbers(),
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        param_scheduler=dict(type='MultiStepLR', milestones=[1, 3], gamma=0.5),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=[dict(type='PlainCheckpointHook')] if plain else [],
        resume=resume,
        default_scope='densecorr',
        log_level='ERROR',
        experiment_name=folder.name + f'{epochs}{resume}{plain}',
    )
    runner.train()
    return model


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('densecorr'):
        yield


def test_hook_is_found_by_name():
    assert isinstance(
        HOOKS.build(dict(type='PlainCheckpointHook')), PlainCheckpointHook
    )


def test_checkpoints_are_read_safely(tmp_path):
    model = train(tmp_path / 'run', 1)
    content = read_checkpoint(tmp_path / 'run' / 'epoch_1.pth')
    assert hash_tensors(content['state_dict']) == hash_tensors(model.state_dict())
    assert content['meta']['epoch'] == 1
    assert content['message_hub']['runtime_info']['epoch'] == 0
    assert content['optimizer']['state'][0]['momentum_buffer'].shape == (3,)


def test_without_the_hook_they_are_not(tmp_path):
    train(tmp_path / 'run', 1, plain=False)
    path = tmp_path / 'run' / 'epoch_1.pth'
    with pytest.raises(UnpicklingError, match=r'mmengine\.logging.*HistoryBuffer'):
        torch.load(path, weights_only=True)
    assert 'state_dict' in read_checkpoint(path)  # the buffers are passed over


def test_resumed_run_equals_a_run_in_one_go(tmp_path):
    whole = train(tmp_path / 'whole', 4)
    stopped = tmp_path / 'stopped'
    stopped.mkdir()
    shutil.copy(tmp_path / 'whole' / 'epoch_2.pth', stopped)
    (stopped / 'last_checkpoint').write_text(str(stopped / 'epoch_2.pth'))
    resumed = train(stopped, 4, resume=True)
    assert torch.equal(resumed.weight, whole.weight)
    assert (stopped / 'epoch_4.pth').is_file()
    assert not (stopped / 'epoch_1.pth').exists()


def test_plain_values_of_exact_type_stay():
    class Score(float):
        pass

    hub = dict(
        runtime_info=dict(a=1, b=Score(0.5), c='x', d=[1]), log_scalars=dict(z=1)
    )
    checkpoint = dict(state_dict={}, message_hub=hub)
    PlainCheckpointHook().before_save_checkpoint(None, checkpoint)
    assert checkpoint['message_hub'] == dict(
        log_scalars={}, runtime_info=dict(a=1, c='x'), resumed_keys={}
    )
