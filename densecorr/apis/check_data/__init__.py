"""Compare a dataset root on disk with the facts of ``data/data_info``."""

from densecorr.apis.check_data.check import check_data, checkable_names
from densecorr.apis.check_data.results import DataCheck, SplitCheck

__all__ = ['DataCheck', 'SplitCheck', 'check_data', 'checkable_names']
