"""`full_size` with k-means trained on all points: 18 million of Pascal VOC val."""

_base_ = ['full_size.py']

protocol = dict(
    name='full_data',
    revision=1,
    video_cluster=dict(metric=dict(kmeans=dict(points_per_center=None))),
    voc_cluster=dict(metric=dict(kmeans=dict(points_per_center=None))),
)
