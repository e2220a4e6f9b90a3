"""TimeT: three steps of the linear probe."""

from __future__ import annotations

import numpy as np
import torch

from densecorr.evaluation.functional.cluster_matching import cluster_scores
from densecorr.ops.points import enlarge
from densecorr.registry import MODELS

from .replay import DEVICE, Case, replay


@replay(
    'timet',
    'linear_probe',
    inputs=[
        *('codebook', 'token_index', 'token_grid', 'mask', 'mask_size', 'num_classes'),
        *('lr', 'momentum', 'weight_decay', 'ignore_index', 'keys', 'shapes'),
    ],
)
def test_linear_probe(case: Case) -> None:
    size = (case.mask_size, case.mask_size)
    masks = case.tensor('mask')[..., None].float()
    target = enlarge(masks, size, 'nearest')[..., 0].long().cpu().numpy()
    case.exact('target', target)
    tokens = case.tensor('codebook')[case.tensor('token_index').long()]  # (b, n, c)
    grid = (case.token_grid, case.token_grid)
    maps = tokens.unflatten(1, grid).permute(0, 3, 1, 2)
    state = case.state_dict()
    head = MODELS.build(
        dict(
            type='LinearProbeHead',
            in_channels=tokens.shape[-1],
            num_classes=case.num_classes,
            ignore_index=case.ignore_index,
        )
    ).to(DEVICE)
    names = {key: key.replace('finetune_head.', 'conv.') for key in state}
    head.load_state_dict({names[key]: value for key, value in state.items()})
    optimizer = torch.optim.SGD(
        head.parameters(),
        lr=case.lr,
        momentum=case.momentum,
        weight_decay=case.weight_decay,
    )
    labels = torch.from_numpy(target).to(DEVICE)
    losses, predictions, scores = [], [], []
    for _ in range(len(case.losses)):
        logits = head(maps, size)
        pred = logits.argmax(1).cpu().numpy()
        found = cluster_scores(pred, target, 'linear_probe', void=case.ignore_index)
        loss = head.loss_of(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        predictions.append(pred)
        scores.append(found.miou)
    case.close('losses', losses, atol=1e-5)
    case.share_equal('predictions', np.stack(predictions), 0.9999)
    case.close('mious', scores, atol=1e-4)
    case.close('weight_after', head.conv.weight.detach().flatten(1), atol=1e-6)
    case.close('bias_after', head.conv.bias.detach(), atol=1e-6)
