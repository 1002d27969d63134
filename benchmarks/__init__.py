"""How fast Usher is on this machine, and how fast the machine is. `make bench`; benchmarks/README.md says how to read it."""
