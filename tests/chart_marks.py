"""What tests read from a chart, and the runs that charts are drawn from."""

from dataclasses import replace

import numpy as np
from fake_runs import fake_run, good_samples
from matplotlib.colors import same_color
from matplotlib.text import Annotation

from pbm_lib import Config, PerformanceRun
from pbm_lib.chart_style import GREY


def charted_run(config: Config) -> PerformanceRun:
    """A run with everything that charts show, plus outliers: warm-ups, failures, retries and cold pages."""
    good = good_samples()
    left_out = [
        replace(sample, ms=1e6 + number, **why)
        for sample in good[::40]
        if sample.section != "concurrency"
        for number, why in enumerate(({"warmup": True}, {"error": "NetworkTimeout"}, {"retries": 1}))
    ]
    cold = [replace(sample, ms=ms) for sample in good if sample.section == "cold" for ms in (1e-5, 1e7)]
    return fake_run(config, [*good, *left_out, *cold])


def slower(run: PerformanceRun) -> PerformanceRun:
    """The same series, each call 7 times as long; a level takes 1.5 times as long with 1 client, and twice with 2."""
    longer = tuple(replace(sample, ms=7 * sample.ms) for sample in run.samples)
    levels = tuple(replace(level, seconds=level.seconds * (1 + level.clients / 2)) for level in run.levels)
    return replace(run, samples=longer, levels=levels)


def without(run, **labels):
    """The run without the samples that have these labels."""
    gone = {id(sample) for sample in run.select(**labels)}
    return replace(run, samples=tuple(sample for sample in run.samples if id(sample) not in gone))


def lines(panel, color):
    """The lines of a color that connect values: style, x and y of each, the run's lines before the baseline's."""
    found = [line for line in panel.lines if same_color(line.get_color(), color) and len(line.get_xdata())]
    return [
        ((line.get_marker(), line.get_linestyle()), list(line.get_xdata()), list(line.get_ydata()))
        for line in found
        if not np.isnan(line.get_xdata()).any()
    ]


def dots(panel, color):
    """The dots of a color, one per call: x and y, line by line."""
    found = []
    for line in panel.lines:
        x, y = np.array(line.get_xdata(), float), np.array(line.get_ydata(), float)
        if same_color(line.get_color(), color) and np.isnan(x).any():
            ends = ~np.isnan(x)
            assert ends.tolist() == (~np.isnan(y)).tolist() == [True, True, False] * (len(x) // 3)
            assert line.get_zorder() < 2 and line.get_alpha() < 1  # faint, and behind the lines that summarize them
            found.append((x[0::3].tolist(), y[0::3].tolist()))
    return found


def ends(panel):
    """The labels at the ends of lines, lowest first: text, color, x, and height in the panel."""
    found = [text for text in panel.texts if isinstance(text, Annotation) and text.xycoords != "data"]
    return sorted(((text.get_text(), text.get_color(), *text.xy) for text in found), key=lambda end: end[3])


def height(panel, x, y):
    """The height of a point in its panel, from 0 to 1."""
    return (panel.transData + panel.transAxes.inverted()).transform((x, y))[1]


def edges(area):
    """The lower and upper edges of an area, by x; empty if the area covers nothing."""
    found = {}
    for path in area.get_paths():
        for x, y in path.vertices:
            found.setdefault(float(x), []).append(float(y))
    return {x: (min(ys), max(ys)) for x, ys in found.items()}


def ticks(axis):
    """The tick positions of an axis, and their labels."""
    return list(axis.get_ticklocs()), [label.get_text() for label in axis.get_ticklabels()]


def marks(panel):
    """Everything that a reader sees in a panel except its title."""
    return {
        "lines": [
            (
                line.get_color(),
                line.get_marker(),
                line.get_linestyle(),
                line.get_alpha(),
                str(line.get_xydata().tolist()),
            )
            for line in panel.lines
            if len(line.get_xdata())
        ],
        "areas": [(area.get_facecolor().tolist(), edges(area)) for area in panel.collections],
        "texts": [(text.get_text(), text.get_color()) for text in panel.texts],
        "axes": [
            (axis.get_scale(), axis.get_label_text(), tuple(axis.get_view_interval()))
            for axis in (panel.xaxis, panel.yaxis)
        ],
        "numbers": ticks(panel.xaxis),  # the y axis's ticks depend on its height
    }


def is_empty(panel):
    """Whether a panel draws nothing and says in gray, in its center, that nothing was measured."""
    (text,) = panel.texts
    said = (text.get_text(), text.get_color(), text.get_position(), text.get_transform() == panel.transAxes)
    drawn = [line for line in panel.lines if len(line.get_xdata())]
    return said == ("not measured", GREY, (0.5, 0.5), True) and not drawn and not panel.collections
