"""Measures on arrays: no registry, file or model is needed to call them."""

from densecorr.evaluation.functional.bootstrap import (
    Interval,
    PairedDifference,
    bootstrap_interval,
    holm,
    paired_bootstrap,
)
from densecorr.evaluation.functional.boundary import (
    boundary_accuracy,
    boundary_map,
    boundary_tolerance,
)
from densecorr.evaluation.functional.cluster_matching import (
    cluster_scores,
    contingency,
    match_clusters,
)
from densecorr.evaluation.functional.davis import (
    frame_scores,
    match_objects,
    pair_scores,
    summarize,
)
from densecorr.evaluation.functional.region import region_similarity
from densecorr.evaluation.functional.statistics import series_statistics

__all__ = [
    'Interval',
    'PairedDifference',
    'bootstrap_interval',
    'boundary_accuracy',
    'boundary_map',
    'boundary_tolerance',
    'cluster_scores',
    'contingency',
    'frame_scores',
    'holm',
    'match_clusters',
    'match_objects',
    'pair_scores',
    'paired_bootstrap',
    'region_similarity',
    'series_statistics',
    'summarize',
]
