"""The deterministic simulator: the real engine on a memory of its own, with every fault made from one seed."""
