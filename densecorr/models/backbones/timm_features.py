"""Any timm model as feature maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from densecorr.models.layers.mae_init import init_mae_
from densecorr.ops.affine import take_places
from densecorr.ops.pos_embed import POS_EMBED_RULES, interpolate_pos_embed, prefix_rows
from densecorr.ops.size_policy import misfit_message
from densecorr.registry import MODELS

FACETS = ('token', 'key')
INITS = ('timm', 'mae')


@MODELS.register_module()
class TimmFeatures(nn.Module):
    """A timm model that returns feature maps.

    Class and register tokens never enter a map. Attention runs fused in ``forward``;
    :meth:`last_attention` recomputes the last softmax. Parameters carry timm's names
    without a prefix, so timm and DINO state dicts load as they are.

    Args:
        arch: timm name, for example ``'vit_small_patch16_224'``; never downloads.
        out_indices: blocks of a ViT or stages of a CNN, from 0; negative counts from
            the last.
        norm: whether the final norm is applied to the tokens of every returned block
            (DINO; SMTC returns them before the norm). CNNs ignore it.
        facet: ``'token'`` block outputs, ``'key'`` keys of the block's attention
            with the heads side by side (plain ViTs only).
        pos_embed_rule: how a positional table is resized, one of
            ``POS_EMBED_RULES``. None refuses images whose grid is not the table's.
        init: how weights begin: ``'timm'``, or of plain ViTs as MAE's with a fixed
            positional table, see :func:`densecorr.models.layers.mae_init.init_mae_`.
        kwargs: further arguments of the timm model.

    Attributes:
        stride: pixels per cell of the last returned map; ``out_strides`` has all.
        channels: channels of each returned map.
        any_size: whether images need not be multiples of ``stride``.

    Reference: Caron et al., ICCV 2021, arXiv:2104.14294. Official:
        facebookresearch/dino ``vision_transformer.py`` ``get_intermediate_layers``.
    """

    def __init__(
        self,
        arch: str,
        out_indices: Sequence[int] = (-1,),
        norm: bool = True,
        facet: str = 'token',
        pos_embed_rule: str | None = None,
        init: str = 'timm',
        **kwargs: Any,
    ) -> None:
        super().__init__()
        for name, value, known in (('facet', facet, FACETS), ('init', init, INITS)):
            if value not in known:
                raise ValueError(
                    f'{name} of TimmFeatures is {value!r}, allowed are {known}.'
                )
        self.arch, self.norm, self.facet = arch, norm, facet
        self.pos_embed_rule = pos_embed_rule
        self.model = _create(arch, kwargs)
        self.is_vit = isinstance(self.model, VisionTransformer)
        info = _feature_info(self.model)
        self.out_indices = _resolve(out_indices, len(info), arch)
        self.channels: list[int] = [info[i]['num_chs'] for i in self.out_indices]
        self.out_strides = [int(info[i]['reduction']) for i in self.out_indices]
        self.stride: int = self.out_strides[-1]
        self.any_size = not _has_patches(self.model) and _covers_border(self)
        self._check()
        if init == 'mae':
            self._check_vit("init='mae'")
            init_mae_(self.model)
        for module in self.model.modules():
            if hasattr(module, 'fused_attn'):
                module.fused_attn = True
        self.register_state_dict_post_hook(_drop_model_prefix)
        self.register_load_state_dict_pre_hook(_add_model_prefix)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``(b, 3, H, W)`` to one ``(b, c, h, w)`` per entry of ``out_indices``."""
        if not self.any_size:
            self._check_size(images)
        if not self.is_vit:
            return self._stage_maps(images)
        height, width = (side // self.stride for side in images.shape[-2:])
        tokens = self.keys(images) if self.facet == 'key' else self.tokens(images)
        prefix = self.model.num_prefix_tokens
        return tuple(
            x[:, prefix:].transpose(1, 2).unflatten(2, (height, width)) for x in tokens
        )

    def tokens(self, images: Tensor, kept: Tensor | None = None) -> tuple[Tensor, ...]:
        """``(b, 3, H, W)`` to ``(b, p + n, c)`` per block, prefix tokens first.

        Args:
            images: of which
            kept: ``(b, k)`` int64 are the only patches that the blocks see, in this
                order; n is k then. None is all, row-major.
        """
        blocks = dict(self._run_blocks(images, kept))
        norm = self.model.norm if self.norm else nn.Identity()
        return tuple(norm(blocks[i][1]) for i in self.out_indices)

    def keys(self, images: Tensor) -> tuple[Tensor, ...]:
        """``(b, 3, H, W)`` to attention keys ``(b, p + n, c)`` per block."""
        inputs = {i: x for i, (x, _) in self._run_blocks(images)}
        keys = (
            _queries_keys(self.model.blocks[i], inputs[i]) for i in self.out_indices
        )
        return tuple(k.transpose(1, 2).flatten(2) for _, k in keys)

    def maps_and_attention(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Maps of :meth:`forward`, and what the class token looks at in the last block.

        Returns:
            the maps, and the softmax ``(b, heads, h, w)``, in one pass through the
            blocks where the last one is among ``out_indices``.

        Raises:
            ValueError: the model is no plain ViT, or has no class token.
        """
        self._check_vit('attention of the class token')
        if getattr(self.model, 'cls_token', None) is None:
            raise ValueError(
                f'{self.arch!r} has no class token, so there is no attention of it. '
                'Take a ViT that has one.'
            )
        inputs: list[Tensor] = []
        last = self.model.blocks[-1]
        handle = last.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        try:
            maps = self(images)
        finally:
            handle.remove()
        if not inputs:  # the maps are of earlier blocks
            attention = self.last_attention(images)
        else:
            q, k = _queries_keys(last, inputs[0])
            attention = (q[:, :, :1] @ k.transpose(-2, -1) * last.attn.scale).softmax(
                -1
            )
        patches = attention[:, :, 0, self.model.num_prefix_tokens :]
        return maps, patches.unflatten(2, maps[-1].shape[-2:])

    def last_attention(self, images: Tensor) -> Tensor:
        """Softmax of the last block's attention, ``(b, heads, p + n, p + n)``.

        Row 0 is what the class token looks at; ``p`` prefix tokens come first.
        """
        self._check_vit('last_attention')
        self._check_size(images)
        last = len(self.model.blocks) - 1
        x = self._embed(images)
        for block in self.model.blocks[:last]:
            x = block(x)
        q, k = _queries_keys(self.model.blocks[last], x)
        scale = self.model.blocks[last].attn.scale
        return (q @ k.transpose(-2, -1) * scale).softmax(dim=-1)

    def _run_blocks(
        self, images: Tensor, kept: Tensor | None = None
    ) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
        """Index, input and output of the wanted blocks; later ones do not run."""
        self._check_vit('tokens')
        x = self._embed(images)
        if kept is not None:
            prefix, rest = x.tensor_split((self.model.num_prefix_tokens,), dim=1)
            x = torch.cat([prefix, take_places(rest, kept)], dim=1)
        for i, block in enumerate(self.model.blocks[: max(self.out_indices) + 1]):
            before, x = x, block(x)
            if i in self.out_indices:
                yield i, (before, x)

    def _embed(self, images: Tensor) -> Tensor:
        """Patches, prefix tokens and positions: ``(b, 3, H, W)`` to ``(b, p+n, c)``."""
        vit = self.model
        grid = (images.shape[-2] // self.stride, images.shape[-1] // self.stride)
        x = vit.patch_embed(images).flatten(1, -2)  # (b, n, c)
        names = ('cls_token', 'dist_token', 'reg_token')
        found = [getattr(vit, name, None) for name in names]
        prefix = [token for token in found if token is not None]
        table = self._positions(grid)
        on_patches = table is not None and table.shape[1] == x.shape[1]
        if on_patches:
            x = x + table
        if prefix:
            x = prefix_rows(torch.cat(prefix, dim=1), x)
        if table is not None and not on_patches:
            x = x + table
        return vit.norm_pre(vit.patch_drop(vit.pos_drop(x)))

    def _positions(self, grid: tuple[int, int]) -> Tensor | None:
        """The positional table for a grid, None for models without one."""
        table = _table(self.model)
        if table is None:
            return None
        embed = self.model.patch_embed
        num_prefix = table.shape[1] - embed.num_patches
        rule = self.pos_embed_rule
        return interpolate_pos_embed(table, grid, rule, num_prefix, embed.grid_size)

    def _stage_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of models other than plain ViTs, by timm's own means."""
        if not hasattr(self.model, 'forward_intermediates'):
            return tuple(self.model(images))
        if self.pos_embed_rule is None:  # refuses a grid that is not the table's
            height, width = images.shape[-2:]
            self._positions((height // self.stride, width // self.stride))
        maps = self.model.forward_intermediates(
            images,
            indices=list(self.out_indices),
            norm=self.norm and _has_patches(self.model),
            stop_early=True,
            intermediates_only=True,
        )
        order = sorted(set(self.out_indices))
        return tuple(maps[order.index(i)] for i in self.out_indices)

    def _check_size(self, images: Tensor) -> None:
        height, width = images.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ValueError(misfit_message((height, width), self.stride))

    def _check_vit(self, what: str) -> None:
        if not self.is_vit:
            raise ValueError(
                f'{what} needs a plain ViT (timm VisionTransformer), {self.arch!r} is '
                f'a {type(self.model).__name__}. Use forward() and its maps.'
            )

    def _check(self) -> None:
        if self.facet == 'key':
            self._check_vit("facet='key'")
        has_table = _table(self.model) is not None
        allowed: tuple[str, ...] = POS_EMBED_RULES if self.is_vit else ('size',)
        allowed = allowed if has_table else ()
        if self.pos_embed_rule is not None and self.pos_embed_rule not in allowed:
            raise ValueError(
                f'pos_embed_rule of {self.arch!r} is {self.pos_embed_rule!r}, allowed '
                f'are {allowed} and None.'
            )
        no_norm = isinstance(getattr(self.model, 'norm', None), nn.Identity)
        if self.is_vit and self.norm and self.facet == 'token' and no_norm:
            raise ValueError(
                f'{self.arch!r} has no norm after its blocks, but norm=True. Set '
                "norm=False, or global_pool='token' if its weights have a norm."
            )


def _create(arch: str, kwargs: dict[str, Any]) -> Any:
    """The model without classifier; ViTs take images of any multiple."""
    if not timm.is_model(arch.partition('.')[0]):
        near = ', '.join(timm.list_models(f'*{arch.split("_")[0]}*')[:8])
        raise ValueError(
            f'arch of TimmFeatures is {arch!r}, timm {timm.__version__} has no such '
            f'model. Similar: {near}. timm.list_models() lists all.'
        )
    options: dict[str, Any] = dict(pretrained=False, num_classes=0, **kwargs)
    try:
        model = timm.create_model(arch, **{**options, 'dynamic_img_size': True})
    except TypeError:  # not a ViT
        model = timm.create_model(arch, **options)
    if hasattr(model, 'forward_intermediates'):
        return model
    return timm.create_model(arch, **options, features_only=True)


def _feature_info(model: Any) -> list[Mapping[str, Any]]:
    """``num_chs`` and ``reduction`` of every block or stage."""
    info = model.feature_info
    return list(info) if isinstance(info, list) else list(info.info)


def _resolve(out_indices: Sequence[int], count: int, arch: str) -> tuple[int, ...]:
    if not out_indices or any(not -count <= i < count for i in out_indices):
        raise ValueError(
            f'out_indices of {arch!r} is {tuple(out_indices)}, it needs one or more '
            f'integers from {-count} to {count - 1}.'
        )
    return tuple(i % count for i in out_indices)


def _has_patches(model: Any) -> bool:
    return hasattr(model, 'patch_embed')


def _table(model: Any) -> Tensor | None:
    """The learned positional table; other codes (rotary, Fourier) fit any grid."""
    table = getattr(model, 'pos_embed', None)
    return table if isinstance(table, nn.Parameter) else None


def _covers_border(features: TimmFeatures) -> bool:
    """Whether maps have ceil(H / stride) rows, so that no pixel row is dropped.

    Asked of a copy without data, on sizes that are no multiples of the stride.
    """
    probe = deepcopy(features).to('meta').eval()
    sides = (probe.stride + 1, 2 * probe.stride - 1)
    try:
        maps = probe._stage_maps(torch.empty(1, 3, *sides, device='meta'))
    except (RuntimeError, AssertionError, ValueError):
        return False
    return all(
        tuple(x.shape[-2:]) == tuple(-(-side // stride) for side in sides)
        for x, stride in zip(maps, probe.out_strides, strict=True)
    )


def _queries_keys(block: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and keys ``(b, heads, n, c)`` of a block for its input tokens."""
    attn = block.attn
    qkv = attn.qkv(block.norm1(x)).unflatten(2, (3, attn.num_heads, -1))
    q, k, _ = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return attn.q_norm(q), attn.k_norm(k)


def _drop_model_prefix(
    module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any
) -> None:
    """Saved keys are timm's own names."""
    inner = f'{prefix}model.'
    for key in [key for key in state if key.startswith(inner)]:
        state[prefix + key.removeprefix(inner)] = state.pop(key)


def _add_model_prefix(
    module: nn.Module, state: dict[str, Any], prefix: str, *args: Any
) -> None:
    """The reverse, before loading."""
    for key in [key for key in state if key.startswith(prefix)]:
        state[f'{prefix}model.{key.removeprefix(prefix)}'] = state.pop(key)
