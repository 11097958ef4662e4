"""Charts as SVG text: no scripts, no fonts, no colours from elsewhere; readable on a phone.

Every chart is 360 units wide and scales with its frame. Values come with their units in the caller's labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH = 360
BLUE, RED, AMBER, GREY, LIGHT, INK = "#1d5f8a", "#b3382c", "#c77d0a", "#6b7684", "#dfe5ea", "#1c2733"
ROW_HEIGHT = 34
SERIES = (BLUE, "#7fb3d0", AMBER, RED, GREY)


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its value, and the value as people read it."""

    label: str
    value: float
    shown: str
    colour: str = BLUE


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = INK, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _rect(x: float, y: float, width: float, height: float, colour: str, title: str = "") -> str:
    hint = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
        f'fill="{colour}" rx="1.5">{hint}</rect>'
    )


def _svg(height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _row(index: int, bar: Bar, start: float, width: float, title: str, is_bad: bool = False) -> list[str]:
    """One of several horizontal bars, below its label and with its value."""
    y = index * ROW_HEIGHT
    return [
        _text(0, y + 12, bar.label),
        _text(WIDTH, y + 12, bar.shown, "end", RED if is_bad else GREY),
        _rect(0, y + 17, WIDTH, 9, LIGHT),
        _rect(start, y + 17, width, 9, bar.colour, title),
    ]


def _key(x: float, base: float, colour: str, words: str) -> list[str]:
    """What a colour stands for, below a chart."""
    return [_rect(x, base + 26, 10, 10, colour), _text(x + 14, base + 35, words)]


def _first_and_last(days: Sequence[date], left: float, base: float) -> list[str]:
    """The names of the first and the last day, below a chart."""
    last = [_text(WIDTH, base + 15, f"{days[-1]}", "end", GREY, 11)] if len(days) > 1 else []
    return [*(_text(left, base + 15, f"{day}", colour=GREY, size=11) for day in days[:1]), *last]


def bars(rows: Sequence[Bar], label: str) -> str:
    """Horizontal bars, each below its label and with its value: any number of them, long labels included."""
    largest = max((row.value for row in rows), default=0) or 1
    parts: list[str] = []
    for index, row in enumerate(rows):
        parts += _row(index, row, 0, WIDTH * row.value / largest, f"{row.label}: {row.shown}")
    return _svg(len(rows) * ROW_HEIGHT, parts, label)


def spans(rows: Sequence[tuple[str, float, float, bool]], label: str) -> str:
    """What ran when: (name, start and end in seconds from the beginning, whether it succeeded)."""
    last = max((end for _, _, end, _ in rows), default=0) or 1
    parts: list[str] = []
    for index, (name, start, end, is_good) in enumerate(rows):
        shown = f"{end - start:,.0f} s" if is_good else f"{end - start:,.0f} s, failed"
        bar = Bar(name, end - start, shown, BLUE if is_good else RED)
        title = f"{name}: {start:,.0f} to {end:,.0f} s"
        parts += _row(index, bar, WIDTH * start / last, max(WIDTH * bar.value / last, 2), title, not is_good)
    return _svg(len(rows) * ROW_HEIGHT, parts, label)


def stacked_days(days: Sequence[date], series: dict[str, dict[date, float]], label: str) -> str:
    """A column for each day, the series on top of each other; the first and the last day are named."""
    totals = [sum(values.get(day, 0) for values in series.values()) for day in days]
    largest, top, base = max(totals, default=0) or 1, 18.0, 138.0
    step = WIDTH / max(len(days), 1)
    parts = [_text(0, 11, f"at most {largest:,.0f}", colour=GREY, size=11)]
    for index, day in enumerate(days):
        y = base
        for (name, values), colour in zip(series.items(), SERIES, strict=False):
            height = (base - top) * values.get(day, 0) / largest
            y -= height
            title = f"{day}, {name}: {values.get(day, 0):,.0f}"
            parts.append(_rect(index * step + 1, y, min(step - 2, 40), height, colour, title))
    parts.append(f'<line x1="0" y1="{base}" x2="{WIDTH}" y2="{base}" stroke="{GREY}"/>')
    parts += _first_and_last(days, 0, base)
    x = 0.0
    for (name, _), colour in zip(series.items(), SERIES, strict=False):
        parts += _key(x, base, colour, name)
        x += 28 + 7 * len(name)
    return _svg(base + 42, parts, label)


@dataclass(frozen=True)
class Climate:
    """A day's lowest, mean and highest temperature, °C."""

    day: date
    lowest: float
    mean: float
    highest: float


def climate(weather: Sequence[Climate], measured: dict[date, float], label: str) -> str:
    """A band from lowest to highest, the mean as a line, and what the sensors measured as dots."""
    top, base, left = 20.0, 180.0, 30.0
    low = min([each.lowest for each in weather] + list(measured.values()), default=0) - 1
    high = max([each.highest for each in weather] + list(measured.values()), default=1) + 1
    first = min(each.day for each in weather).toordinal()
    length = max(max(each.day for each in weather).toordinal() - first, 1)

    def x(day: date) -> float:
        return left + (WIDTH - left - 6) * (day.toordinal() - first) / length

    def y(degrees: float) -> float:
        return base - (base - top) * (degrees - low) / (high - low)

    upper = [f"{x(each.day):.1f},{y(each.highest):.1f}" for each in weather]
    lower = [f"{x(each.day):.1f},{y(each.lowest):.1f}" for each in reversed(weather)]
    mean = " ".join(f"{x(each.day):.1f},{y(each.mean):.1f}" for each in weather)
    parts = []
    for degrees in range(-40, 60, 10):
        if low <= degrees <= high:
            level = y(degrees)
            parts.append(
                f'<line x1="{left}" y1="{level:.1f}" x2="{WIDTH}" y2="{level:.1f}" stroke="{LIGHT}"/>'
            )
            parts.append(_text(left - 5, level + 4, f"{degrees}", "end", GREY, 11))
    parts += [
        f'<polygon points="{" ".join(upper + lower)}" fill="{BLUE}" opacity="0.2"/>',
        f'<polyline points="{mean}" fill="none" stroke="{BLUE}" stroke-width="1.5"/>',
        _text(0, 11, "°C", colour=GREY, size=11),
    ]
    for day, mean_degrees in measured.items():
        if first <= day.toordinal() <= first + length:
            parts.append(
                f'<circle cx="{x(day):.1f}" cy="{y(mean_degrees):.1f}" r="2.6" fill="{RED}">'
                f"<title>{day}: measured {mean_degrees:.1f} °C</title></circle>"
            )
    parts += [
        *_first_and_last([each.day for each in weather], left, base),
        *_key(0, base, BLUE, "weather: mean, lowest to highest"),
        f'<circle cx="226" cy="{base + 31}" r="4" fill="{RED}"/>',
        _text(235, base + 35, "measured, mean"),
    ]
    return _svg(base + 42, parts, label)


@dataclass(frozen=True)
class Place:
    """A dot of the map: degrees, the share that colours it (percent), and what it says when pointed at."""

    latitude: float
    longitude: float
    share: float
    title: str


def shade(share: float) -> str:
    """The colour of a share in percent, from pale to red; half of all is as bad as it gets."""
    pale, bad = (0xDC, 0xE9, 0xF2), (0xB3, 0x38, 0x2C)
    weight = min(max(share, 0) / 50, 1) ** 0.5
    red, green, blue = (round(a + (b - a) * weight) for a, b in zip(pale, bad, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def place_map(places: Sequence[Place], label: str) -> str:
    """Places by longitude and latitude, north up, with the scale of their colours."""
    size, left, top = 300.0, 46.0, 10.0
    latitudes = [place.latitude for place in places]
    longitudes = [place.longitude for place in places]
    south, north, west, east = min(latitudes), max(latitudes), min(longitudes), max(longitudes)
    height, width = max(north - south, 0.01), max(east - west, 0.01)
    radius = min(13.0, size / (2.4 * max(len(set(longitudes)), 1) + 1)) if len(places) <= 400 else 3.0
    parts = []
    for place in sorted(places, key=lambda each: each.share):
        x = left + radius + (size - 2 * radius) * (place.longitude - west) / width
        y = top + radius + (size - 2 * radius) * (north - place.latitude) / height
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{shade(place.share)}" '
            f'stroke="#fff"><title>{escape(place.title)}</title></circle>'
        )
    base = top + size
    parts += [
        _text(left - 4, top + radius + 4, f"{north:.2f}°", "end", GREY, 11),
        _text(left - 4, base - radius + 4, f"{south:.2f}°", "end", GREY, 11),
        _text(left + radius, base + 14, f"{west:.2f}°", "middle", GREY, 11),
        _text(left + size - radius, base + 14, f"{east:.2f}°", "middle", GREY, 11),
    ]
    for index, share in enumerate((0, 2, 10, 25, 50)):
        x = left + index * 62
        words = f"{share} %" if share < 50 else "50 % +"
        parts += [_rect(x, base + 26, 12, 12, shade(share)), _text(x + 16, base + 36, words)]
    return _svg(base + 44, parts, label)
