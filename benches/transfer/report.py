"""Medians and ratios as a table for people, raw figures as JSON for everything else."""

import json
import statistics
from dataclasses import asdict

from .contenders import OURS

MEGABYTE = 1e6
HEAD = ["", "median s", "min-max s", "times ours", "files/s", "MB/s", "CPU s", "peak MB"]
NOTE = """\
times ours: the median time divided by that of the first row, couchapp's. MB/s: of file contents, in 1,000,000 bytes.
CPU: of the client, median. Peak: of the client's memory, the highest of all runs, in 1,000,000 bytes; about 9 is the
least that can be measured."""


def render(table):
    """A table as lines of text."""
    first = table.series[0].wall() if table.series[0].name.startswith(OURS) else None
    rows = [HEAD + table.extra] + [_row(series, table, first) for series in table.series]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    runs = max((len(series.costs) for series in table.series), default=0)
    lines = [f"{table.title}: {table.files:,} files, {table.bytes / MEGABYTE:,.1f} MB, {runs} rounds"]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  " + "  ".join(cells).rstrip())
    for series in table.series:
        lines += [f"  {series.name}: {note}" for note in _remarks(series)]
    return "\n".join(lines)


def _row(series, table, first):
    wall = series.wall()
    if wall is None:
        return [series.name, "-" if series.missing else "failed"] + [""] * (len(HEAD) - 2 + len(table.extra))
    walls = [cost.wall for cost in series.costs]
    return [
        series.name,
        f"{wall:.2f}",
        f"{min(walls):.2f}-{max(walls):.2f}",
        f"{wall / first:.2f}" if first else "",
        f"{table.files / wall:,.0f}",
        f"{table.bytes / wall / MEGABYTE:,.1f}",
        f"{statistics.median(cost.cpu for cost in series.costs):.2f}",
        f"{max(cost.memory for cost in series.costs) / MEGABYTE:,.0f}",
        *(_extra(series, key) for key in table.extra),
    ]


def _extra(series, key):
    values = [cost.extra[key] for cost in series.costs if cost.extra.get(key) is not None]
    return f"{statistics.median(values):,.0f}" if values else "?"


def _remarks(series):
    """Notes, and each kind of failure once."""
    failed = [f"failed {series.failures.count(text)} x: {text}" for text in dict.fromkeys(series.failures)]
    return ([series.missing] if series.missing else []) + series.notes + failed


def write_json(file, facts, tables):
    """Everything, every single run included."""
    content = {"v": 1, **facts, "tables": [asdict(table) for table in tables]}
    with open(file, "w", encoding="utf-8") as output:
        json.dump(content, output, indent=1)
        output.write("\n")
