"""How the parts of a mixed recipe pull at their backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook

from densecorr.engine.hooks.due import check_unit, is_due
from densecorr.engine.hooks.parts import method_of
from densecorr.registry import HOOKS
from densecorr.utils.suggest import suggest


@HOOKS.register_module()
class LossGradientsHook(Hook):
    """Logs the length of each part's gradient on the backbone, and their cosines.

    In the iterations that are due, a :class:`Mixed` puts out ``gradients/norm_<part>``
    and ``gradients/cosine_<part>_<other>``, of the weighted losses before clipping.
    Each such iteration costs a backward pass for every part besides its own; the
    others cost nothing. With several processes or accumulated batches the numbers are
    means over them. The last iteration is no exception, and always due.

    Args:
        interval: iterations or epochs between two measurements.
        unit: ``'iter'`` or ``'epoch'``.
        parts: names of parts that must be there; None asks for none.

    Raises:
        ValueError: the interval is below 1, the unit is unknown, or the model is not
            mixed.
        KeyError: the model has no part of a name; names the nearest ones.
    """

    def __init__(
        self, interval: int = 50, unit: str = 'iter', parts: Sequence[str] | None = None
    ) -> None:
        check_unit(unit, 'LossGradientsHook')
        if interval < 1:
            raise ValueError(
                f'interval of LossGradientsHook is {interval}; at least 1.'
            )
        self.interval, self.unit, self.parts = interval, unit, tuple(parts or ())

    def before_train(self, runner: Any) -> None:
        """Check that the model has the parts."""
        method = method_of(runner)
        if not hasattr(method, 'measure_gradients'):
            raise ValueError(
                f'LossGradientsHook is for the method Mixed, this one is '
                f'{type(method).__name__}. Take the hook out of custom_hooks.'
            )
        known = list(getattr(method, 'parts'))  # noqa: B009 (mypy: a Tensor or Module)
        for name in self.parts:
            if name not in known:
                raise KeyError(
                    f'LossGradientsHook asks for part {name!r}, which model.parts does '
                    f'not define. {suggest(name, known)}'
                )

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Ask for gradients where it is due."""
        method: Any = method_of(runner)
        method.measure_gradients = is_due(runner, self.interval, self.unit)
