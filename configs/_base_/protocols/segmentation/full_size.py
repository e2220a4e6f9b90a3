"""Segmentation without training as densecorr scores it: labels at their full size.

First centres are drawn by distance, from many points: a small object would otherwise
have no point among those that k-means starts from and is trained on.
"""

_sgd = dict(lr=0.01, momentum=0.9, weight_decay=1e-4, gamma=0.1)
_extraction = dict(
    mask=dict(mass=0.65, sigma=0.6, kernel=7, min_cells=3),
    cut=dict(threshold=None, cuts=(0.55, 0.75), step=0.05),
    boundary=dict(distance=16, contour='foreground'),
    void_is_foreground=True,
)
protocol = dict(
    name='full_size',
    revision=2,
    source='densecorr',
    video_cluster=dict(
        reader='pillow',
        size=dict(fixed=(224, 224)),
        resizer='pillow',
        metric=dict(
            sizes=dict(points=112, labels=None),
            projection=dict(dim=50, over='batch', batch_size=16),
            kmeans=dict(
                iterations=50,
                restarts=5,
                init='kmeans++',
                points_per_center=256,
                min_points=65536,
            ),
            void=255,
            void_units=['frame', 'clip', 'dataset'],
        ),
    ),
)
protocol['voc_cluster'] = protocol['video_cluster']
protocol['voc_linear'] = dict(
    reader='pillow',
    size=dict(fixed=(448, 448)),
    resizer='pillow',
    metric=dict(
        schedule=dict(
            epochs=50,
            batch_size=60,
            **_sgd,
            step=20,
            shuffle=False,
            interval=10,  # a validation at full size takes longer than an epoch
        ),
        head=dict(batch_norm=False),
        sizes=dict(train=100, labels=None),
        void=255,
    ),
)
protocol['video_linear'] = dict(
    reader='pillow',
    size=dict(fixed=(224, 224)),
    resizer='pillow',
    metric=dict(
        schedule=dict(
            epochs=10,
            batch_size=4,
            **_sgd,
            step=4,
            shuffle=True,
            interval=5,
        ),
        head=dict(batch_norm=True),  # features of all backbones at one scale
        sizes=dict(train=56, labels=None),
        void=255,
    ),
)
protocol['foreground'] = dict(
    reader='pillow',
    size=dict(fixed=(448, 448)),
    resizer='pillow',
    metric=dict(
        clusters=dict(
            num_clusters=300,
            dim=50,
            kmeans=dict(iterations=50, restarts=5, points_per_center=256),
        ),
        sizes=dict(points=100, labels=None),
        **_extraction,
        within=dict(
            mask='attention',
            num_clusters=['classes'],
            sizes=dict(points=112, labels=None),
            projection=dict(dim=50),
            kmeans=dict(iterations=50, restarts=5, points_per_center=256),
            void=255,
        ),
    ),
)
protocol['video_foreground'] = dict(
    reader='pillow',
    size=dict(fixed=(224, 224)),
    resizer='pillow',
    metric=dict(
        clusters=dict(
            num_clusters=60,
            dim=50,
            kmeans=dict(iterations=20, restarts=2, points_per_center=256),
        ),
        sizes=dict(points=56, labels=None),
        **_extraction,
        within=None,
    ),
)
