"""The peers' programs. They run in an environment of their own, made from requirements.txt by `make bench`."""
