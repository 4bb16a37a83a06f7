"""Results as a table in Markdown; what is not in it is in the JSON."""

MEGABYTE, KILOBYTE = 1e6, 1e3
WAYS = {
    ("serve", "client"): "one `couchapp serve --memory`",
    ("CouchDB", "client"): "CouchDB, `couchapp replicate`",
    ("CouchDB", "server"): "CouchDB, its own replicator",
}
NOTE = """\
first, median, last: seconds from a single edit at a random node until so many nodes have it. requests, KB: for each edit and
each edge, both directions of it and both ends. together: seconds from the first of all edits until every node has all.
memory: of `replicate` and of the endpoint. lost: nodes that did not have everything in the end."""


def render(results, edits):
    """One table for each server and each way."""
    parts = []
    for way in dict.fromkeys((result.against, result.via) for result in results):
        rows = [result for result in results if (result.against, result.via) == way]
        head = (
            f"| {WAYS[way]} | databases | first s | median s | last s | requests | KB | {edits} edits together s | requests "
            "| KB | conflicts | memory MB | lost |"
        )
        lines = [head, "|---|" + "--:|" * (head.count("|") - 2)]
        parts.append("\n".join(lines + [_row(row) for row in rows]))
    return "\n\n".join([*parts, NOTE])


def _row(row):
    cells = [
        row.shape,
        f"{row.nodes:,}",
        _seconds(row.first),
        _seconds(row.median),
        _seconds(row.last),
        f"{row.single_each:.1f}",
        _kilobytes(row.single_bytes_each),
        f"{row.burst:.1f}",
        f"{row.burst_each:.1f}",
        _kilobytes(row.burst_bytes_each),
        f"{row.conflicts}",
        " + ".join(f"{size / MEGABYTE:,.0f}" for size in row.memory.values()) or "–",
        f"{len(row.wrong)}",
    ]
    return f"| {' | '.join(cells)} |"


def _seconds(time):
    return f"{time:.3f}" if time < 1 else f"{time:.1f}"


def _kilobytes(count):
    return "–" if count is None else f"{count / KILOBYTE:.1f}"
