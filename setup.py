"""Packaging: the package, and copies of configs/, tools/ and data/data_info/ in it."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
# Folders of the checkout that an installation carries inside the package.
CARRIED = {
    'densecorr.configs': 'configs',
    'densecorr.tools': 'tools',
    'densecorr.data_info': 'data/data_info',
}

version = re.search(
    r"__version__ = '(.+?)'", (ROOT / 'densecorr/__init__.py').read_text('utf-8')
)
if version is None:
    raise RuntimeError('densecorr/__init__.py has no __version__.')

setup(
    name='densecorr',
    version=version.group(1),
    description='Dense correspondence learned from unlabelled video, and its measures',
    long_description=(ROOT / 'README.md').read_text('utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=[*find_packages(include=['densecorr', 'densecorr.*']), *CARRIED],
    package_dir=CARRIED,
    package_data={
        **{
            name: [
                '**/*.py',
                '**/*.sh',
                '**/*.json',
                '**/*.yml',
                '*.py',
                '*.sh',
                '*.json',
                '*.yml',
            ]
            for name in CARRIED
        },
        'densecorr.apis.report': ['*.html', '*.css', '*.js'],
    },
    include_package_data=False,
    # Neither mmcv nor mmcv-lite, and no opencv: each comes in flavours that overwrite
    # one another, so the user's choice stands (requirements/runtime.txt has ours).
    install_requires=[
        'torch>=2.6',
        'torchvision>=0.21',
        'timm>=1.0',
        'mmengine>=0.10.7',
        'av>=17',
        'jinja2>=3',
        'numpy>=1.26',
        'pillow>=10',
        'rich>=13',
        'safetensors>=0.4',
        'scipy>=1.11',
        'tensorboard>=2.16',
    ],
    extras_require={
        'faiss': ['faiss-cpu'],  # of RetrievalMetric's search=dict(backend='faiss')
    },
    entry_points={'console_scripts': ['densecorr = densecorr.cli:main']},
)
