"""TimeT (Salehi et al., ICCV 2023): its evaluations of video and of Pascal VOC.

Frames and clips are scored at 224 pixels, where void is a class; whole sets at 112,
without it. The official numbers mean over loader batches, these over frames or clips.
The linear probe and the foreground extraction are trained and scored at 100 pixels.
"""

protocol = dict(
    name='timet',
    revision=1,
    published_stride=16,
    source='SMSD75/Timetuning evaluation.py',
    video_cluster=dict(
        reader='pillow',
        size=dict(fixed=(224, 224)),
        resizer='pillow',
        metric=dict(
            sizes=dict(
                points=dict(frame=224, clip=224, dataset=112),
                labels=dict(frame=224, clip=224, dataset=112),
            ),
            projection=dict(dim=50, over='batch', batch_size=16),
            kmeans=dict(iterations=50, restarts=5, points_per_center=256),
            void=255,
            void_units=['dataset'],
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
            lr=0.01,
            momentum=0.9,
            weight_decay=1e-4,
            step=20,
            gamma=0.1,
            shuffle=False,
            interval=1,
        ),
        head=dict(batch_norm=False),
        sizes=dict(train=100, labels=100),
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
        sizes=dict(points=100, labels=100),
        mask=dict(mass=0.65, sigma=0.6, kernel=7, min_cells=3),
        cut=dict(threshold=None, cuts=(0.55, 0.75), step=0.05),
        # the official contour of the annotation is that of its background
        boundary=dict(distance=16, contour='background'),
        within=dict(
            mask='attention',
            num_clusters=['classes'],
            sizes=dict(points=100, labels=100),
            projection=dict(dim=50),
            kmeans=dict(iterations=50, restarts=5, points_per_center=256),
            void=255,
        ),
        void_is_foreground=True,
    ),
)
