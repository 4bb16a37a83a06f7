"""Two plots beside each other in one SVG: how long an edit takes to all nodes, and what it costs, as the network grows.
Legible on light and on dark grounds."""

import math
from html import escape

WIDTH, HEIGHT = 1000, 430
TOP, BOTTOM = 60, 60
PANELS = [(70, 470), (590, 970)]
COLOURS = {"chain": "#d9480f", "ring": "#2f9e44", "tree": "#1c7ed6", "star": "#9c36b5"}
MARKS = {"chain": "circle", "ring": "square", "tree": "diamond", "star": "triangle"}
DASHES = {("serve", "client"): "", ("CouchDB", "client"): "7 4", ("CouchDB", "server"): "2 4"}
WAYS = {
    ("serve", "client"): "couchapp serve",
    ("CouchDB", "client"): "CouchDB, couchapp replicate",
    ("CouchDB", "server"): "CouchDB, its own replicator",
}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 12px; fill: #57606a; }
.ground { fill: #ffffff; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9aa4af; }
  .ground { fill: #0d1117; }
  .grid { stroke: #30363d; }
}"""


class Axis:
    """From values to places, by logarithm or not."""

    def __init__(self, least, most, begin, end, is_log):
        scale = math.log10 if is_log else float
        self._scale, self._least = scale, scale(least)
        self._span = (scale(most) - self._least) or 1
        self._begin, self._length = begin, end - begin

    def __call__(self, value):
        return self._begin + (self._scale(value) - self._least) / self._span * self._length


def draw(results):
    """The whole SVG."""
    nodes = [result.nodes for result in results]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>How long an edit takes to every node, and how many requests it costs</title><style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
    ]
    times = [result.last for result in results]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))
    decades = [10**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    most = max(math.ceil(max(result.single_each for result in results)) + 1, 6)
    across = (min(nodes), max(nodes))
    for (left, right), title, least, top, ticks, is_log, value in (
        (PANELS[0], "One edit: seconds until every node has it", low, high, decades, True, lambda one: one.last),
        (PANELS[1], "Requests for each edit and edge", 0, most, range(0, most + 1), False, lambda one: one.single_each),
    ):
        x = Axis(*across, left, right, True)
        y = Axis(least, top, HEIGHT - BOTTOM, TOP, is_log)
        parts += _frame(title, sorted(set(nodes)), ticks, x, y, left, right)
        parts += _series(results, x, y, value)
    return "\n".join([*parts, *_legend(results), "</svg>"]) + "\n"


def _frame(title, nodes, ticks, x, y, left, right):
    parts = [f'<text class="title" x="{left}" y="24">{escape(title)}</text>']
    for tick in ticks:
        place = y(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(f'<text class="small" x="{left - 8}" y="{place + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for count in nodes:
        place = x(count)
        parts.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        label = f'x="{place:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle"'
        parts.append(f'<text class="small" {label}>{count:,}</text>')
    middle = (left + right) / 2
    parts.append(f'<text class="small" x="{middle}" y="{HEIGHT - BOTTOM + 36}" text-anchor="middle">databases</text>')
    return parts


def _series(results, x, y, value):
    parts = []
    for key in dict.fromkeys((result.against, result.via, result.shape) for result in results):
        rows = sorted((row for row in results if (row.against, row.via, row.shape) == key), key=lambda row: row.nodes)
        colour, dash = COLOURS[key[2]], DASHES[key[:2]]
        points = [(x(row.nodes), y(value(row))) for row in rows]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<polyline class="line" stroke="{colour}"{dashes} points="{line}"/>')
        for point, row in zip(points, rows):
            words = f"{WAYS[key[:2]]}, {row.shape} of {row.nodes:,}: {value(row):.3g}"
            parts.append(_mark(MARKS[key[2]], *point, colour, words))
    return parts


def _mark(kind, x, y, colour, words):
    title = f"<title>{escape(words)}</title>"
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}">{title}</circle>'
    corners = {
        "square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
        "diamond": [(0, -5), (5, 0), (0, 5), (-5, 0)],
        "triangle": [(0, -5), (5, 4), (-5, 4)],
    }[kind]
    points = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in corners)
    return f'<polygon points="{points}" fill="{colour}">{title}</polygon>'


def _legend(results):
    parts, place = [], PANELS[0][0]
    for shape in dict.fromkeys(result.shape for result in results):
        parts.append(_mark(MARKS[shape], place + 5, 43, COLOURS[shape], shape))
        parts.append(f'<text class="small" x="{place + 16}" y="47">{shape}</text>')
        place += 62
    place = PANELS[1][0]
    ways = list(dict.fromkeys((result.against, result.via) for result in results))
    for way in ways if len(ways) > 1 else []:
        dash = f' stroke-dasharray="{DASHES[way]}"' if DASHES[way] else ""
        parts.append(f'<line x1="{place}" x2="{place + 26}" y1="43" y2="43" stroke="#868e96" stroke-width="2"{dash}/>')
        parts.append(f'<text class="small" x="{place + 31}" y="47">{escape(WAYS[way])}</text>')
        place += 44 + 6.3 * len(WAYS[way])
    return parts
