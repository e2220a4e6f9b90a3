"""NeCo (Pariza et al., ICLR 2025): clusters are scored at 100 pixels."""

protocol = dict(
    name='neco',
    revision=1,
    verified=False,
    source='the evaluation at 100 x 100 that follow-up papers report',
    video_cluster=dict(
        reader='pillow',
        size=dict(fixed=(224, 224)),
        resizer='pillow',
        metric=dict(
            sizes=dict(points=100, labels=100),
            projection=dict(dim=50, over='batch', batch_size=16),
            kmeans=dict(iterations=50, restarts=5, points_per_center=256),
            void=255,
            void_units=['dataset'],
        ),
    ),
)
protocol['voc_cluster'] = protocol['video_cluster']
