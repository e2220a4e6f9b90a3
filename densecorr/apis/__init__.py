"""What tools, notebooks and other programs call: one module per task."""
