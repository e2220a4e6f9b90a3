"""Discovery of objects as SMTC measures it: frames of 480 x 800, chunks of 4, Kinetics
statistics for slots.

Its published 44.8 on DAVIS-2017-Unsupervised belongs to `per_frame_oracle`. `davis` and
its linker, the fixed seed of the noise and candidates from k-means are densecorr's.
"""

_input = dict(reader='opencv', resizer='opencv')
_slots = dict(
    chunk=4,
    refinements=5,
    similarity=0.5,
    threshold=0.3,
    seed=0,
    noise='frame',  # 'video': the same for all frames, so linked slots change less
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
_kmeans = dict(
    num_clusters=16,
    seed=0,
    rule=dict(iterations=30, restarts=2, init='kmeans++', spherical=True),
)
_metric = dict(linker=0.5, max_candidates=300)
_frames = dict(_input, size=dict(fixed=(480, 800)), slots=_slots, kmeans=_kmeans)
protocol = dict(
    name='smtc_discovery',
    revision=1,
    published_stride=16,
    source='shvdiwnkozbw/SMTC eval_multi.py',
    discovery=dict(_frames, metric=dict(_metric, max_proposals=20)),
    single_object=dict(_frames, metric=_metric),
    video_discovery=dict(  # generated clips
        _input,
        size=dict(fixed=(128, 128)),
        slots=dict(_slots, chunk=3, mean=None, std=None),  # the config's statistics
        kmeans=dict(_kmeans, num_clusters=8),
        metric=dict(_metric, max_proposals=20),
    ),
)
