"""Runs one command and writes what it cost: `launch.py FILE COMMAND…`.

A process of its own, and a small one: the kernel counts the memory of the process that starts a program towards that
program's peak, so a program that is started by a large one seems to be as large. What this process needs itself, about
9 MB, is the least that can be measured.
"""

import os
import sys
import time


def main():
    """Writes seconds, CPU seconds, peak memory in bytes, and the exit code (negative: the signal)."""
    file, command = sys.argv[1], sys.argv[2:]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - began
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    figures = (wall, usage.ru_utime + usage.ru_stime, memory, os.waitstatus_to_exitcode(status))
    with open(file, "w", encoding="ascii") as output:
        output.write(" ".join(str(figure) for figure in figures))


main()
