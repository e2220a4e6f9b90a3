"""NeCo (Pariza et al., ICLR 2025): clusters of cells, scored at 100 pixels.

K-means groups the cells of images of 448 pixels; a cluster map is enlarged as it is.
Labels are brought to 448 pixels, then to 100, both by nearest neighbour.
"""

protocol = dict(
    name='neco',
    revision=2,
    published_stride=16,
    source='vpariza/NeCo (3932160) experiments/overcluster/eval_overcluster.py',
    video_cluster=dict(
        reader='pillow',
        size=dict(fixed=(448, 448)),
        resizer='pillow',
        metric=dict(
            seeds=[0, 1, 2, 3, 4],
            sizes=dict(points=None, labels=100, first_labels=448, assign='nearest'),
            projection=dict(dim=50, over='batch', batch_size=16),
            kmeans=dict(iterations=100, restarts=5, points_per_center=256),
            void=255,
            void_units=['frame', 'clip', 'dataset'],
        ),
    ),
)
protocol['voc_cluster'] = protocol['video_cluster']
