"""Mixed precision and parameter groups."""

from densecorr.engine.optim.autocast_wrapper import AutocastOptimWrapper
from densecorr.engine.optim.param_groups import ParamGroupsConstructor

__all__ = ['AutocastOptimWrapper', 'ParamGroupsConstructor']
