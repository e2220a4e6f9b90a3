"""Colours of segments: classes, and clusters that no class was found for."""

from __future__ import annotations

import colorsys
from functools import cache

import numpy as np

from densecorr.utils.images import davis_palette

FIRST_CLUSTER = 128  # labels from here on are clusters without a class
VOID = 255
_CLUSTERS = VOID - FIRST_CLUSTER
_TURN = 0.618034  # of the hue circle: the golden ratio keeps neighbours apart
_PALE = ((0.28, 0.97), (0.42, 0.84), (0.20, 0.74))  # saturation and value, in turn


@cache
def segment_palette() -> np.ndarray:
    """``(256, 3)`` uint8 RGB: a colour for every label of a picture.

    Classes have the strong colours of Pascal VOC and DAVIS, background is black and
    void cream; clusters without a class, from 128 on, are pale.
    """
    palette = davis_palette()
    for number in range(_CLUSTERS):
        saturation, value = _PALE[number % len(_PALE)]
        color = colorsys.hsv_to_rgb(number * _TURN % 1, saturation, value)
        palette[FIRST_CLUSTER + number] = [round(255 * part) for part in color]
    palette.setflags(write=False)
    return palette


def cluster_label(clusters: np.ndarray) -> np.ndarray:
    """Labels of clusters without a class: the same number, the same colour."""
    return FIRST_CLUSTER + np.asarray(clusters) % _CLUSTERS


def segment_map(
    pred: np.ndarray, clusters: np.ndarray, matched: np.ndarray, found: np.ndarray
) -> np.ndarray:
    """A cluster map as labels of :func:`segment_palette`, ``(H, W)`` uint8.

    Args:
        pred: ``(H, W)`` clusters.
        clusters: ``(k,)`` ascending numbers of those that were matched or tried.
        matched: ``(k,)`` class of each.
        found: ``(k,)`` whether a class was found for it.
    """
    if not len(clusters):
        return cluster_label(pred).astype(np.uint8)
    labels = np.where(found, class_label(matched), cluster_label(clusters))
    place = np.searchsorted(clusters, pred).clip(max=len(clusters) - 1)
    known = np.asarray(clusters)[place] == pred
    return np.where(known, labels[place], cluster_label(pred)).astype(np.uint8)


def class_label(classes: np.ndarray) -> np.ndarray:
    """Labels of classes: their numbers; from 128 on colours come again."""
    classes = np.asarray(classes)
    return np.where(classes == VOID, VOID, classes % FIRST_CLUSTER)
