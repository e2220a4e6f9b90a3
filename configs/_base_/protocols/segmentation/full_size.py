"""Segmentation without training as densecorr scores it: labels at their full size.

First centres are drawn by distance, from many points: a small object would otherwise
have no point among those that k-means starts from and is trained on.
"""

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
