"""Who is measured: this product, the floors, the peers. Each knows how to do a thing once; workloads say what."""
