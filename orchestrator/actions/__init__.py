"""What touches the world: one module per effectful step type, each an Action; carrying.py calls them."""
