"""Discovery of objects as SMTC measures it: frames of 480 x 800, chunks of 4, Kinetics
statistics for slots.

Its published 44.8 on DAVIS-2017-Unsupervised belongs to `per_frame_oracle`. `davis` and
its linker, the fixed seed of the noise and candidates from k-means are densecorr's.
"""

protocol = dict(
    name='smtc_discovery',
    revision=1,
    published_stride=16,
    source='shvdiwnkozbw/SMTC eval_multi.py',
    discovery=dict(
        reader='opencv',
        size=dict(fixed=(480, 800)),
        resizer='opencv',
        slots=dict(
            chunk=4,
            refinements=5,
            similarity=0.5,
            threshold=0.3,
            seed=0,
            mean=(0.43216, 0.394666, 0.37645),
            std=(0.22803, 0.22145, 0.216989),
        ),
        kmeans=dict(
            num_clusters=16,
            seed=0,
            rule=dict(iterations=30, restarts=2, init='kmeans++', spherical=True),
        ),
        metric=dict(linker=0.5, max_candidates=300, max_proposals=20),
    ),
    video_discovery=dict(  # generated clips
        reader='opencv',
        size=dict(fixed=(128, 128)),
        resizer='opencv',
        slots=dict(
            chunk=3,
            refinements=5,
            similarity=0.5,
            threshold=0.3,
            seed=0,
            mean=None,  # those of the config
            std=None,
        ),
        kmeans=dict(
            num_clusters=8,
            seed=0,
            rule=dict(iterations=30, restarts=2, init='kmeans++', spherical=True),
        ),
        metric=dict(linker=0.5, max_candidates=300, max_proposals=20),
    ),
)
protocol['single_object'] = dict(
    protocol['discovery'], metric=dict(linker=0.5, max_candidates=300)
)
