"""A network's activity as a page: the player, activity.js, with an object of `activity_data` in it."""

import html
import json
from pathlib import Path


def player() -> str:
    """The text of activity.js: `kzooActivity(element, data, options)`, which draws into an element of a page."""
    return Path(__file__).with_name("activity.js").read_text(encoding="utf-8")


def activity_page(data: dict, *, title: str, seconds: float = 10.0, fade: float | None = None) -> str:
    """A whole page of HTML that plays an object of `activity_data` and asks nobody for anything."""
    # In a script only "</script" and "<!--" end it; in JSON a "<" may as well be written by its number.
    options = json.dumps({"seconds": seconds, "fade": fade})
    spikes = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    name = html.escape(title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
body {{ margin: 0 auto; padding: 1rem; max-width: 72rem; font: 16px system-ui, sans-serif; }}
h1 {{ font-size: 1.3rem; white-space: pre-line; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #161b22; color: #e6edf3; }} }}
</style>
</head>
<body>
<h1>{name}</h1>
<div id="activity"></div>
<script>
{player()}
kzooActivity(document.getElementById("activity"), {spikes}, {options});
</script>
</body>
</html>
"""
