"""The bare Django REST view that creations are measured against: one row, one message, nothing else."""
