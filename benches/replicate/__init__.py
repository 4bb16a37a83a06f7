"""The parts of the replication benchmark; `benches/replicate.py` is the command."""
