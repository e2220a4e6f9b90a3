"""Files of JHMDB: joints of a clip, and lists of clips."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from densecorr.utils.list_files import ListLine, read_lines

MARKS = {'train': '1', 'val': '2'}  # of the split files
_UNUSED = '0'  # a mark of HMDB, from which JHMDB was taken
_JOINTS = 'pos_img'
_DAMAGE = (  # what loadmat raises at damaged or foreign files
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    EOFError,
    OSError,
    NotImplementedError,
    UnicodeDecodeError,
    struct.error,
    zlib.error,
    MatReadError,
)


@dataclass(frozen=True)
class ListedClip:
    """A clip of a list, with its paths as they stand there.

    Attributes:
        name: ``<action>/<clip>``.
        joints: path of its ``joint_positions.mat``.
        frames: path of its folder of frames.
    """

    name: str
    joints: str
    frames: str


def read_joint_positions(path: str | Path, *, lost: bool = False) -> np.ndarray:
    """Joints of a clip from ``pos_img`` of ``joint_positions.mat``.

    No other variable is read.

    Args:
        path: of the file.
        lost: it holds predictions, in which a lost joint is NaN.

    Returns:
        ``(t, j, 2)`` float64 (x, y) in pixels, the centre of the first pixel being
        (0, 0); the file counts from 1. Joints may lie outside the frame.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, has no ``pos_img`` of 2 x joints x frames, or a
            joint that is not a finite number.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file of joints {str(path)!r}.')
    try:
        found = loadmat(path, variable_names=[_JOINTS])
    except _DAMAGE as error:
        raise ValueError(
            f'{path} cannot be read as a MATLAB file: {error}. If it was cut short, '
            'unpack joint_positions.zip again; if MATLAB wrote it, save it with -v7.'
        ) from error
    if _JOINTS not in found:
        raise ValueError(
            f'{path} has no variable {_JOINTS!r}: it is cut short, or another file. To '
            'have the right one, unpack joint_positions.zip again.'
        )
    joints = np.asarray(found[_JOINTS])
    if joints.ndim == 2:
        joints = joints[..., None]  # MATLAB drops the axis of a single frame
    if joints.ndim != 3 or joints.shape[0] != 2 or joints.dtype.kind not in 'fiu':
        raise ValueError(
            f'{_JOINTS} of {path} is {joints.dtype} of shape {joints.shape}; it should '
            'hold numbers of shape (2, joints, frames).'
        )
    if not joints.size:
        raise ValueError(f'{_JOINTS} of {path} is empty, of shape {joints.shape}.')
    points = joints.transpose(2, 1, 0).astype(np.float64) - 1
    wrong = np.argwhere(np.isinf(points) if lost else ~np.isfinite(points))
    if len(wrong):
        frame, joint, _ = wrong[0] + 1
        raise ValueError(
            f'Joint {joint} of frame {frame} in {path} is not a finite number. JHMDB '
            'has a position for every joint, also outside the frame: correct the '
            'file, or leave the clip out with sequences=[...].'
        )
    return np.ascontiguousarray(points)


def read_clip_list(path: str | Path) -> list[ListedClip]:
    """Clips of a list such as ``val_list.txt``, each once, in its order.

    A line has the path of a ``joint_positions.mat`` and that of a folder of frames,
    in any order (Spa-then-Temp has the ``.mat`` first, CRW the folder), with white
    space or a comma between them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is wrong; names file, line number and line.
    """
    clips: dict[str, ListedClip] = {}
    for line in read_lines(path):
        clip = _parse(line)
        if clips.setdefault(clip.name, clip) != clip:
            line.refuse(f'clip {clip.name} is listed before with other paths.')
    return list(clips.values())


def _parse(line: ListLine) -> ListedClip:
    fields = [field.strip(',') for field in line.fields]
    if len(fields) != 2:
        fields = [field.strip() for field in line.text.split(',')]
    mats = [field for field in fields if field.lower().endswith('.mat')]
    if len(fields) != 2 or len(mats) != 1:
        line.refuse(
            'a joint_positions.mat and a folder of frames are expected, with a space '
            'or a comma between them.'
        )
    joints, frames = mats[0], next(field for field in fields if field not in mats)
    clip, own = PurePosixPath(frames), PurePosixPath(joints).parent
    if len(clip.parts) < 2 or (own.parent.name, own.name) != clip.parts[-2:]:
        line.refuse(
            'the folders of the two paths should end in the same <action>/<clip>.'
        )
    return ListedClip(f'{clip.parent.name}/{clip.name}', joints, frames)


def read_split(path: str | Path, mark: str) -> list[str]:
    """Clips that a file of lines ``<clip>.avi <mark>`` gives a mark.

    Args:
        path: for example ``splits/<action>_test_split1.txt``.
        mark: see :data:`MARKS`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is wrong; names file, line number and line.
    """
    clips = []
    for line in read_lines(path):
        fields = line.fields
        if len(fields) != 2 or fields[1] not in (_UNUSED, *MARKS.values()):
            line.refuse(
                f'"<clip>.avi {MARKS["train"]}" (training) or "<clip>.avi '
                f'{MARKS["val"]}" (test) is expected.'
            )
        if fields[1] == mark:
            clips.append(fields[0].removesuffix('.avi'))
    return clips
