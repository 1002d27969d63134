"""How fast Usher is on this machine, next to what the machine can do. See benchmarks/README.md."""
