"""Results as a table in Markdown."""

HEAD = (
    "| shape | nodes | begin s | one edit: first s | median s | last s | ms a hop | requests an edit and edge | bytes | "
    "100 edits s | requests | bytes | idle requests/s | conflicts | memory MB | lost |"
)
MEGABYTE = 1e6


def render(results, edits):
    """A table for each server and each way."""
    parts = []
    for against, via in dict.fromkeys((result.against, result.via) for result in results):
        rows = [result for result in results if (result.against, result.via) == (against, via)]
        head = HEAD.replace("100 edits", f"{edits} edits")
        lines = [f"{_title(against, via)}:", "", head, "|---|" + "--:|" * (head.count("|") - 2)]
        parts.append("\n".join(lines + [_row(row) for row in rows]))
    return "\n\n".join(parts)


def _title(against, via):
    name = "`couchapp serve`" if against == "serve" else against
    return f"{name}, {'`replicate --via client`' if via == 'client' else 'its own replicator'}"


def _row(row):
    memory = " + ".join(f"{size / MEGABYTE:,.0f}" for size in row.memory.values()) or "–"
    cells = [
        row.shape,
        f"{row.nodes:,}",
        f"{row.begin:.1f}",
        f"{row.first:.3f}",
        f"{row.median:.3f}",
        f"{row.last:.3f}",
        f"{row.hop * 1000:.1f}" if row.shape in ("chain", "ring") else "–",
        f"{row.single_each:.1f}",
        _bytes(row.single_bytes_each),
        f"{row.burst:.1f}",
        f"{row.burst_each:.2f}",
        _bytes(row.burst_bytes_each),
        f"{row.idle:.1f}",
        f"{row.conflicts}",
        memory,
        f"{len(row.wrong)}",
    ]
    return f"| {' | '.join(cells)} |"


def _bytes(count):
    return "–" if count is None else f"{count:,.0f}"
