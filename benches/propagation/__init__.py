"""The parts of `propagation.py`."""
