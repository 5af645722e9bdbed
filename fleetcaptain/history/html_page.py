"""The frame of a page for browsers: one HTML file, light and dark, no scripts, nothing from elsewhere. Pure."""

from __future__ import annotations

from html import escape

from fleetcaptain.printable import one_line

__all__ = ["html_page", "safe"]

_STYLE = """\
:root { color-scheme: light dark; --back: #ffffff; --text: #1f2328; --faint: #6e7781; --line: #d0d7de;
  --good: #2da44e; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --faint: #8b949e; --line: #30363d;
  --good: #3fb950; --bad: #f85149; } }
body { background: var(--back); color: var(--text); font: 14px/1.5 system-ui, sans-serif; margin: 2rem; }
h2 { font-size: 1rem; margin: 2rem 0 .25rem; }
svg { display: block; width: 100%; max-width: 1180px; height: auto; }
text { fill: var(--text); font: 12px system-ui, sans-serif; }
.faint { fill: var(--faint); }
.axis { stroke: var(--line); }
ul { list-style: none; padding: 0; }
li { display: inline-block; margin-right: 1.5rem; }
li span { display: inline-block; width: 1rem; height: .75rem; margin-right: .4rem; border: 1px solid var(--line); }
"""


def html_page(title: str, style: str, body: str) -> str:
    """The page *title* with more CSS (*style*) and the HTML *body*, in which all texts of others passed `safe`."""
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe(title)}</title>
<style>
{_STYLE}{style}</style>
</head>
<body>
<h1>{safe(title)}</h1>
{body}
</body>
</html>
"""


def safe(text: str) -> str:
    """*text* for HTML: printable, escaped, in one line."""
    return escape(one_line(text), quote=True)
