"""Dense nearest-neighbour retrieval as open-hummingbird-eval reports it.

Images and labels of 512 pixels, 30 neighbours at temperature 0.02, void of the memory
as background, classes matched one to one before they are scored. The published table
of ViT-S/16 with DINO has 37.2 at this memory, 43.1 at 1,024,000 and 46.6 at
10,240,000 patches, by an approximate search (ScaNN); this one is exact.
"""

protocol = dict(
    name='hummingbird',
    revision=1,
    verified=False,
    published_stride=16,
    source='vpariza/open-hummingbird-eval (5e79da2) hbird/hbird_eval.py and README.md',
    retrieval=dict(
        reader='pillow',
        size=dict(fixed=(512, 512)),
        resizer='pillow',
        metric=dict(
            memory_size=102400,
            neighbours=30,
            temperature=0.02,
            sizes=dict(memory=512, labels=512),
            match='hungarian',
        ),
    ),
)
