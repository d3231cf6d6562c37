"""Charts and tables in a notebook: after `notebook.set_up()` charts are drawn without a network.

JupyterLab itself draws Vega-Lite up to version 5, Altair 6 writes version 6, and what Altair puts
into a notebook by default fetches the library from the Internet. So the library is put into the
output of the cell that calls `set_up`, once, and each chart only says what to draw.
"""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import polars as pl
from IPython.display import HTML, display

from plugins.tracing.page import CONFIG, library

RENDERER = "offline"
ROWS_MAX = 40  # of a table

# A chart may be there before the library: where a saved notebook is opened again.
CHART = """\
<div></div>
<script>
(() => {
  const figure = document.currentScript.previousElementSibling;
  const draw = () => window.vegaEmbed
    ? window.vegaEmbed(figure, SPEC, {actions: false})
    : setTimeout(draw, 100);
  draw();
})();
</script>"""
TEXT = "a picture: it is drawn where scripts run, as in JupyterLab"


def set_up() -> None:
    """Have this notebook draw Altair's charts by itself, and show tables without their types.

    A notebook that was saved and is opened again shows its charts if it is trusted, or run again.
    """
    alt.renderers.register(RENDERER, _drawn)
    alt.renderers.enable(RENDERER)
    pl.Config(
        float_precision=3,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_rows=ROWS_MAX,
    )
    display(HTML(f"<script>{library()}</script>"))  # type: ignore[no-untyped-call]


def _drawn(spec: dict[str, Any], **_: Any) -> dict[str, str]:
    """A chart as what a notebook shows."""
    config = {**spec.get("config", {}), **CONFIG}
    text = json.dumps({**spec, "config": config}, separators=(",", ":")).replace("<", "\\u003c")
    return {"text/html": CHART.replace("SPEC", text), "text/plain": TEXT}
