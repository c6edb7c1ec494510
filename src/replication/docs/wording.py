"""How a written page words numbers: jinja filters, each from one value, or a column of values, to text."""

import re
from collections.abc import Callable, Iterable
from typing import Any


def fixed(value: float, digits: int = 0) -> str:
    """So many digits after the point.

    >>> fixed(13.0), fixed(0.62544, 3), fixed(-0.00004, 4)
    ('13', '0.625', '-0.0000')
    """
    return f"{float(value):,.{digits}f}"


def signed(value: float, digits: int = 4) -> str:
    """The same with its sign, also where it is plus.

    >>> signed(0.0139), signed(-0.0408, 3)
    ('+0.0139', '-0.041')
    """
    return f"{float(value):+,.{digits}f}"


def short(value: float, digits: int = 3) -> str:
    """So many digits that count, without needless zeros.

    >>> short(45.8), short(8.0), short(1e-05), short(19.666)
    ('45.8', '8', '0.00001', '19.7')
    """
    text = f"{float(value):.{digits}g}"
    return f"{float(text):.10f}".rstrip("0").rstrip(".")


def percent(value: float, digits: int = 0) -> str:
    """
    >>> percent(0.144567), percent(0.971186, 1)
    ('14%', '97.1%')
    """
    return f"{100 * float(value):.{digits}f}%"


def span(values: Iterable[float], digits: int = 0, style: Callable[[float, int], str] = fixed) -> str:
    """From the lowest to the highest; one number where they print alike.

    >>> span([1.094, 1.074], 2), span([8, 8])
    ('1.07 to 1.09', '8')
    """
    ends = [style(end(values), digits) for end in (min, max)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def listed(values: Iterable[Any], word: str = "and") -> str:
    """
    >>> listed([140]), listed(["a", "b"]), listed([60, 100, 260])
    ('140', 'a and b', '60, 100 and 260')
    """
    *first, last = [value if isinstance(value, str) else short(value, 6) for value in values]
    return f"{', '.join(first)} {word} {last}" if first else last


def anchor(heading: str) -> str:
    """The name under which git hosts link to a heading.

    >>> anchor("C8. All layers, and MNIST")
    'c8-all-layers-and-mnist'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


FILTERS = {function.__name__: function for function in (fixed, signed, short, percent, span, listed, anchor)}
