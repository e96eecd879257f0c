"""The benchmark: this product, the floors under it and its peers, side by side on the same servers. `make bench`."""
