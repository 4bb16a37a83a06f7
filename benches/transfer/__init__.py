"""The parts of the transfer benchmark; `benches/transfer.py` is the command."""
