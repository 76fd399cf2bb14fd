# SPDX-License-Identifier: Apache-2.0
"""Draws what bench.json says as SVG: the cost of operations against how much there is.

Usage: plot.py BENCH_JSON [DIRECTORY]
"""

import json
import math
import pathlib
import sys
from xml.sax.saxutils import escape

POWERS_OF_2 = [2**i for i in range(11)]
POWERS_OF_10 = [10**i for i in range(6)]

# File, title, what x is, its values, and the lines: what one says, and its operation.
PLOTS = [
    (
        "depth",
        "Cost against depth",
        "levels between the context asked and the one that answers",
        POWERS_OF_2,
        [
            ("value, found", "value"),
            ("value, absent", "value_miss"),
            ("err, no deadline", "err"),
            ("err, with a deadline", "err_timed"),
        ],
    ),
    (
        "values",
        "Cost against the number of values in one context",
        "values in one context",
        POWERS_OF_2,
        [
            ("value, first stored", "wide_first"),
            ("value, last stored", "wide_last"),
            ("with_values + unref", "with_values"),
            ("detached + unref", "detached"),
        ],
    ),
    (
        "siblings",
        "Cost against the number of siblings",
        "siblings, observed where the operation is about observing",
        POWERS_OF_10,
        [
            ("with_cancel + finish", "with_cancel"),
            ("on_done + off_done", "on_done"),
        ],
    ),
    (
        "cancel",
        "Cost of canceling against the number of observed children",
        "observed children",
        POWERS_OF_2,
        [("cancel, in all", "cancel")],
    ),
    (
        "timers",
        "Cost against the number of live timers",
        "contexts with deadlines, observed where the operation is about observing",
        POWERS_OF_10,
        [
            ("with_timeout + finish", "with_timeout"),
            ("on_done + off_done, timed", "on_done_timed"),
        ],
    ),
]

COLOURS = ["#0b5fa5", "#c2410c", "#15803d", "#7e22ce"]
WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 78, 270, 52, 62  # room around the axes; the key is at the right


def points():
    """Every OP:X that a plot shows."""
    lines = ((op, x) for _, _, _, xs, lines in PLOTS for _, op in lines for x in xs)
    return sorted({f"{op}:{x}" for op, x in lines})


def lines_of(plot, told):
    """What each line says, its colour, whether it is Go's, and its (x, ns)."""
    _, _, _, xs, named = plot
    for i, (says, op) in enumerate(named):
        for who in ("cctx", "go"):
            best = told["cctx" if who == "cctx" else "go_points"]
            found = [(x, best[f"{op}:{x}"]["ns"]) for x in xs if f"{op}:{x}" in best]
            if found:
                label = says if who == "cctx" else f"Go: {says}"
                yield label, COLOURS[i % len(COLOURS)], who == "go", found


def nanoseconds(value):
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} ns"


class Axes:
    """Where a point is, on logarithmic axes that show whole decades of y."""

    def __init__(self, lines):
        xs = [x for line in lines for x, _ in line[3]]
        ys = [y for line in lines for _, y in line[3]]
        self.x0, self.x1 = math.log10(min(xs)), math.log10(max(xs))
        self.y0, self.y1 = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
        self.y1 = max(self.y1, self.y0 + 1)

    def x(self, value):
        part = (math.log10(value) - self.x0) / (self.x1 - self.x0)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        part = (math.log10(value) - self.y0) / (self.y1 - self.y0)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def text(x, y, words, anchor="start", size=13, extra=""):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {extra}>'
        f"{escape(words)}</text>"
    )


def stroke(x1, y1, x2, y2, colour, width=1.0, extra=""):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width}" {extra}/>'
    )


def draw_grid(axes, xs, x_label):
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for decade in range(axes.y0, axes.y1 + 1):
        y = axes.y(10**decade)
        yield stroke(LEFT, y, right, y, "#d4d4d8")
        yield text(LEFT - 8, y + 4, nanoseconds(10**decade), "end")
        for i in range(2, 10) if decade < axes.y1 else ():
            y = axes.y(i * 10**decade)
            yield stroke(LEFT, y, right, y, "#f1f1f4")
    for x in xs:
        yield stroke(axes.x(x), TOP, axes.x(x), bottom, "#e4e4e7")
        yield text(axes.x(x), bottom + 20, f"{x:,}", "middle")
    yield stroke(LEFT, bottom, right, bottom, "#52525b", 1.5)
    yield stroke(LEFT, TOP, LEFT, bottom, "#52525b", 1.5)
    yield text((LEFT + right) / 2, HEIGHT - 16, x_label, "middle")


def draw_lines(axes, lines):
    for i, (says, colour, dashed, found) in enumerate(lines):
        dash = 'stroke-dasharray="6 4"' if dashed else ""
        where = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in found)
        yield f'<polyline points="{where}" fill="none" stroke="{colour}" '
        yield f'stroke-width="2.2" {dash}/>'
        for x, y in found:
            fill = "#ffffff" if dashed else colour
            yield f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3.2" '
            yield f'fill="{fill}" stroke="{colour}" stroke-width="1.4"/>'
        x, y = WIDTH - RIGHT + 16, TOP + 10 + i * 24
        yield stroke(x, y, x + 26, y, colour, 2.2, dash)
        yield text(x + 33, y + 4, says)


def draw(plot, told):
    """The plot as SVG, or None where nothing of it was measured."""
    _, title, x_label, xs, _ = plot
    lines = list(lines_of(plot, told))
    if not lines:
        return None
    axes = Axes(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" fill="#18181b">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT, 30, f"{title}: time per operation", size=17, extra='font-weight="bold"'),
        *draw_grid(axes, xs, x_label),
        *draw_lines(axes, lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def draw_all(told, directory):
    """Write one file a plot; returns their paths."""
    written = []
    for plot in PLOTS:
        svg = draw(plot, told)
        if svg:
            path = pathlib.Path(directory) / f"{plot[0]}.svg"
            path.write_text(svg, encoding="utf-8")
            written.append(path)
    return written


# ---- Ratios -----------------------------------------------------------------------

ROW = 24  # height of a bar and its words
BARS = 300  # where the bars begin


def draw_ratios(table):
    """The rows of rivals.py as bars: how many times as long as its rival each takes."""
    ratios = [row[4] for row in table if not isinstance(row, str)]
    most = math.ceil(max([2.0, *ratios]))
    height = TOP + ROW * len(table) + BOTTOM
    scale = (WIDTH - BARS - 250) / most
    bottom = height - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" fill="#18181b">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        text(
            20,
            30,
            "Time of one operation, in times that of its rival",
            size=17,
            extra='font-weight="bold"',
        ),
    ]
    for i, row in enumerate(table):
        y = TOP + ROW * i
        if isinstance(row, str):
            parts.append(text(20, y + 16, row, extra='font-weight="bold"'))
            continue
        says, _, rival, _, ratio = row
        parts.append(text(BARS - 8, y + 16, says, "end"))
        parts.append(
            f'<rect x="{BARS}" y="{y + 3}" width="{ratio * scale:.1f}" height="{ROW - 6}" '
            f'fill="{COLOURS[0]}"/>'
        )
        parts.append(
            text(BARS + ratio * scale + 6, y + 16, f"{ratio:.1f} x {rival}", size=12)
        )
    parts.append(stroke(BARS + scale, TOP, BARS + scale, bottom, COLOURS[1], 1.5))
    parts.append(text(BARS + scale, bottom + 18, "the rival", "middle", size=12))
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    told = json.loads(source.read_text(encoding="utf-8"))
    directory = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else source.parent
    print(*draw_all(told, directory), sep="\n")


if __name__ == "__main__":
    main()
