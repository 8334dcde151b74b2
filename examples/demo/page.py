"""The report as one HTML file: no script, no font, no network."""
import itertools
import math
from html import escape

COLOURS = {"int8": "int8", "uint8": "int8", "fp32": "fp32", "float32": "fp32"}  # of precisions; any other is grey

STYLE = """
:root { --ink:#1d2630; --soft:#5d6b7a; --rule:#dfe4ea; --paper:#fbfcfd; --card:#fff; --int8:#0f8a7e; --fp32:#d98324; --other:#9aa5b1; --bad:#c0392b }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e6ebf0; --soft:#9aa8b6; --rule:#2c3743; --paper:#131a21; --card:#1a232c; --int8:#2bb5a6; --fp32:#e79a45; --other:#6b7885; --bad:#ef6a5b } }
* { box-sizing: border-box }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif }
main { max-width:1000px; margin:0 auto; padding:40px 24px 64px }
h1 { font-size:26px; margin:0 } h2 { font-size:17px; margin:40px 0 4px }
p { margin:4px 0 14px; color:var(--soft); font-size:14px }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(210px,1fr)); gap:14px; margin-top:26px }
.card { background:var(--card); border:1px solid var(--rule); border-radius:10px; padding:14px 18px }
.card b { display:block; font-size:30px; line-height:1.25; font-weight:650; font-variant-numeric:tabular-nums }
.card span { color:var(--soft); font-size:13px } .card i { font-style:normal; font-size:13px; color:var(--soft) }
svg { display:block; width:100%; height:auto; background:var(--card); border:1px solid var(--rule); border-radius:10px }
svg text { font-size:13px; fill:var(--ink) } svg .soft { fill:var(--soft); font-size:12px }
svg .axis { stroke:var(--rule) } svg .mark { stroke:var(--ink) }
.int8 { fill:var(--int8) } .fp32 { fill:var(--fp32) } .other { fill:var(--other) } .dot { fill:var(--ink) }
.l-int8 { stroke:var(--int8) } .l-fp32 { stroke:var(--fp32) } .l-bad { stroke:var(--bad) }
table { width:100%; border-collapse:collapse; font-size:13px; margin-top:14px }
th,td { text-align:left; padding:5px 10px 5px 0; border-bottom:1px solid var(--rule); vertical-align:top }
th { color:var(--soft); font-weight:500 } td.n,th.n { text-align:right; font-variant-numeric:tabular-nums; }
td:not(.names) { white-space:nowrap } td.names { overflow-wrap:anywhere; color:var(--soft); width:50% }
.key { display:inline-block; width:10px; height:10px; border-radius:3px; margin-right:6px }
.key.int8 { background:var(--int8) } .key.fp32 { background:var(--fp32) } .key.other { background:var(--other) }
"""


def colour(precision):
    return COLOURS.get(precision, "other")


# ---- drawing ----

WIDTH = 950


def svg(height, shapes, title):
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{"".join(shapes)}</svg>'


def text(x, y, content, anchor="start", soft=False):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{" class=soft" if soft else ""}>{escape(str(content))}</text>'


def line(x1, y1, x2, y2, style="axis", width=1.0, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}" stroke-width="{width}"{dashes}/>'


def bar(x, y, width, height, style, opacity=1.0):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}" rx="2" class="{style}" fill-opacity="{opacity}"/>'


def dot(x, y, radius, style, opacity=1.0):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{style}" fill-opacity="{opacity}"/>'


def ticks(highest, count=5):
    """Round numbers from 0 to `highest`, about `count` of them."""
    power = 10.0 ** math.floor(math.log10(highest / count))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= highest / count)
    return [i * step for i in range(int(highest / step) + 1)]


# ---- charts ----


def accuracy_chart(figures, facts):
    low, high = (100 * d for d in figures["difference_ci95"])
    middle = 100 * (figures["int8_accuracy"] - figures["fp32_accuracy"])
    reach = 1.15 * max(abs(low), abs(high), abs(facts["bound"]))

    def at(points):
        return WIDTH / 2 + points / reach * (WIDTH / 2 - 40)

    shapes = [line(40, 70, WIDTH - 40, 70), line(at(0), 30, at(0), 100, "mark", 1, "3 3"), text(at(0), 20, "no difference", "middle", True)]
    shapes += [line(at(facts["bound"]), 30, at(facts["bound"]), 100, "l-bad", 1.5, "5 4"), text(at(facts["bound"]), 20, f"bound {facts['bound']:g}", "middle", True)]
    shapes += [line(at(low), 70, at(high), 70, "l-int8", 4), line(at(low), 61, at(low), 79, "l-int8", 2), line(at(high), 61, at(high), 79, "l-int8", 2)]
    shapes += [dot(at(middle), 70, 7, "int8"), text(at(middle) + 12, 54, f"{middle:+.2f}")]
    shapes += [text(at(low), 96, f"{low:+.2f}", "middle", True), text(at(high), 96, f"{high:+.2f}", "middle", True)]
    return svg(115, shapes, "difference in accuracy with its 95 % interval")


def latency_chart(figures, facts):
    slowest = max(*facts["fp32_rounds"], *facts["int8_rounds"])
    left, scale_to = 60, min(max(slowest, figures["fp32_p99_ms"], figures["int8_p99_ms"]), 2 * slowest) * 1.06

    def at(ms):
        return left + min(ms / scale_to, 1) * (WIDTH - left - 130)

    shapes = []
    for tick in ticks(scale_to):
        shapes += [line(at(tick), 14, at(tick), 122), text(at(tick), 138, f"{tick:g} ms", "middle", True)]
    for y, name in ((24, "fp32"), (76, "int8")):
        p50, p99 = figures[f"{name}_p50_ms"], figures[f"{name}_p99_ms"]
        shapes += [text(left - 12, y + 23, name, "end"), bar(left, y, at(p99) - left, 36, name, 0.25), bar(left, y, at(p50) - left, 36, name)]
        shapes += [dot(at(ms), y + 18, 2.5, "dot", 0.55) for ms in facts[f"{name}_rounds"]]
        shapes += [text(WIDTH - 118, y + 16, f"p50 {p50:.3f} ms"), text(WIDTH - 118, y + 33, f"p99 {p99:.3f} ms", soft=True)]
    return svg(148, shapes, "latency of fp32 and int8")


def layer_chart(layers):
    left, row = 400, 22
    shown = worth_showing(layers)
    longest = max(step["microseconds"] for step in shown)
    shapes = []
    for i, step in enumerate(shown):
        y, length = 12 + i * row, step["microseconds"] / longest * (WIDTH - left - 90)
        shapes += [text(left - 10, y + 13, label(step), "end"), bar(left, y + 2, length, row - 7, colour(step["precision"]))]
        shapes += [text(left + length + 8, y + 13, f"{step['microseconds']:.1f} µs", soft=True)]
    return svg(24 + row * len(shown), shapes, "time of each generated function")


def worth_showing(layers):
    """Steps with half a percent of the time or more, and one that stands for the others."""
    least = 0.005 * sum(step["microseconds"] for step in layers)
    shown = [step for step in layers if step["microseconds"] >= least]
    others = [step for step in layers if step["microseconds"] < least]
    if others:
        time = sum(step["microseconds"] for step in others)
        rest = {"op": f"{len(others)} others", "precision": "", "kernel": "", "nodes": [], "microseconds": time, "gmac_per_second": 0}
        shown.append(rest)
    return shown


def label(step, longest=54):
    name = step["op"] + (f" {short(step['nodes'][0])}" if step["nodes"] else "")
    return name if len(name) <= longest else name[: longest - 1] + "…"


def short(name):
    """/features/features.1/conv/conv.0/Conv is features.1/conv.0/Conv: a folder repeated in the next one says nothing."""
    parts = [p for p in name.split("/") if p]
    return "/".join(p for p, following in zip(parts, [*parts[1:], ""]) if not following.startswith(p))


# ---- page ----


def card(name, figure, remark):
    return f'<div class="card"><span>{escape(name)}</span><b>{escape(figure)}</b><i>{escape(remark)}</i></div>'


def layer_table(layers):
    total = sum(step["microseconds"] for step in layers)
    rows = []
    for same in runs_of_equal(layers):
        first, time = same[0], sum(step["microseconds"] for step in same)
        what, _, of = first["op"].partition(" of ")  # "halo of conv_1"
        count = f" ({len(same)} functions)" if len(same) > 1 else ""
        gmacs = f"{first['gmac_per_second']:.1f}" if first["gmac_per_second"] else ""
        names = " + ".join(short(n) for n in first["nodes"]) or short(of)
        note = f" ({first['note']})" if first["note"] else ""
        rows.append(
            f'<tr><td>{escape(what + count)}</td><td><span class="key {colour(first["precision"])}"></span>{escape(first["precision"])}</td>'
            f'<td>{escape(first["kernel"])}</td><td class=n>{time:.1f}</td><td class=n>{100 * time / total:.1f}</td><td class=n>{gmacs}</td>'
            f"<td class=names>{escape(names + note)}</td></tr>"
        )
    head = "<tr><th>operator<th>precision<th>kernel<th class=n>µs<th class=n>%<th class=n>GMAC/s<th>nodes computed here</tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def runs_of_equal(layers):
    """Neighbours with the same operator and nodes: the four sides of a halo, the parts of a Concat."""
    return [list(group) for _, group in itertools.groupby(layers, key=lambda step: (step["op"], step["nodes"], step["gmac_per_second"]))]


def cards(f, facts):
    low, high = (100 * d for d in f["difference_ci95"])
    agree = "equal" if f["aot_equals_jit"] else "DIFFERENT"
    return "".join((
        card("fp32 accuracy", f"{100 * f['fp32_accuracy']:.2f} %", f"{facts['samples']} test images"),
        card("int8 accuracy", f"{100 * f['int8_accuracy']:.2f} %", f"difference in [{low:+.2f}, {high:+.2f}] points (95 %)"),
        card("speed-up of int8", f"{f['speedup']:.2f} x", f"p50 {f['fp32_p50_ms']:.3f} ms to {f['int8_p50_ms']:.3f} ms, one core"),
        card("C program and JIT", agree, f"outputs of {facts['compared']} images, byte by byte"),
    ))


def render(figures, facts):
    layers = figures["layers"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Lapis: Fashion-MNIST</title><style>{STYLE}</style></head>
<body><main>
<h1>Fashion-MNIST, from float32 to int8 machine code</h1>
<p>A small convolutional network, quantized with 256 calibration images and compiled for {escape(facts["target"])}.</p>
<div class="cards">{cards(figures, facts)}</div>
<h2>Accuracy of int8 minus fp32, in percentage points</h2>
<p>Mean of the paired difference over {facts["samples"]} images and its 95 % interval.</p>
{accuracy_chart(figures, facts)}
<h2>Latency of one image on one core</h2>
<p>Solid: the median. Pale: up to the 99th percentile, cut off at the edge on a busy machine. Dots: the medians of single rounds, fp32 and int8 taken in turn.</p>
{latency_chart(figures, facts)}
<h2>Where the time of int8 goes</h2>
<p><span class="key int8"></span>int8 &nbsp; <span class="key fp32"></span>fp32 &nbsp; <span class="key other"></span>other. One bar a generated function; a function computes its operator and what is fused with it.</p>
{layer_chart(layers)}
{layer_table(layers)}
</main></body></html>
"""
