"""TimeT (Salehi et al., ICCV 2023): its clustering of video and of Pascal VOC.

Frames and clips are scored at 224 pixels, where void is a class; whole sets at 112,
without it. The official numbers mean over loader batches, these over frames or clips.
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
