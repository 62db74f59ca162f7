"""The page behind the link of a group of dead letters: what its fault means, and the way from there to a redrive."""

from __future__ import annotations

from html import escape

from worker.codes import find

_OF_ANY = (
    "Records could not be upcast, and stand in the dead-letter topic with the reason in their headers.",
    "A producer sends what the chain does not know, or the chain lacks a step or a default.",
    "Stop the producer, or mend the chain; then redrive the dead letters.",
)


def runbook_page(name: str, fingerprint: str) -> str:
    """HTML for a fault, or any other name that has a code; what is said of any dead letter where it has none."""
    code = find(name)
    title = f"{code.number}: {code.name or 'a refusal'}" if code else "Dead letters"
    texts = (code.meaning, code.cause, code.remedy) if code else _OF_ANY
    told = zip(("means", "cause", "remedy"), texts, strict=True)
    parts = "".join(f"<div><dt>{word}</dt><dd>{escape(text)}</dd></div>" for word, text in told)
    commands = _commands(fingerprint) if code is None or code.kind == "events" else ""
    return _PAGE.format(title=escape(title), parts=parts, commands=commands)


def _commands(fingerprint: str) -> str:
    which = f"--fingerprint {fingerprint}" if fingerprint else "--all"
    steps = {
        "See how many there are, of which types and versions": "upcast dlq list",
        "Look at one, with its hops through the chain": f"upcast dlq show {fingerprint or '0:42'}",
        "Release the mended chain; then see what would become of them": f"upcast dlq redrive {which} --plan",
        "Redrive them; that writes a receipt": f"upcast dlq redrive {which}",
    }
    region = 'tabindex="0" role="region"'
    items = [f'<li>{text}:<pre {region} aria-label="{line}">{line}</pre></li>' for text, line in steps.items()]
    return f"<h2>The way from here</h2><ol>{''.join(items)}</ol>"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · upcast</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="../page/page.css">
</head>
<body>
<header><h1>{title}</h1></header>
<main><dl class="facts">{parts}</dl>{commands}</main>
<footer><p><a href="../">The worker's page</a></p></footer>
</body>
</html>
"""
