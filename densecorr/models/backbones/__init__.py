"""Models backbones."""
