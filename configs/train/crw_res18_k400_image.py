"""CRW ResNet-18 on Kinetics-400: nodes are the positions of whole frames' maps."""

_base_ = 'crw_res18_k400.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='ClipRandomResizedCrop',
                size=256,
                area=(0.8, 0.95),
                ratio=(0.7, 1.3),
                per_frame=True,
                resizer='pillow',
            ),
            dict(type='PackClip'),
        ]
    )
)
