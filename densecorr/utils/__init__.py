"""Files, images, checkpoints, dataset facts and tables."""
