"""The style sheet of every report: light, dark, phone and paper."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
:root { color-scheme: light dark;
  --paper: #fcfcfa; --panel: #f3f3ef; --ink: #1c1d1f; --muted: #62656b; --rule: #dcdcd6; --control: #77797e;
  --series-1: #b5482a; --series-2: #1f6f8b; --series-3: #8a6d1d; --series-4: #6a4c93; --good: #23704a; --bad: #a8322a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16181b; --panel: #1f2226; --ink: #e8e6e1; --muted: #a0a3a8; --rule: #363a40; --control: #9a9da3;
  --series-1: #ec8664; --series-2: #68b7d3; --series-3: #d6b656; --series-4: #b59be0; --good: #6cc697; --bad: #f08a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif;
  -webkit-text-size-adjust: 100%; }
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p, li { max-width: 44rem; }
.stamp, .note, figcaption { color: var(--muted); font-size: .88rem; }
.summary { background: var(--panel); border-left: 4px solid var(--series-2); padding: .9rem 1.2rem; margin: 1.4rem 0; }
.summary p { margin: .45rem 0; }
.limits { border-left-color: var(--series-1); }
.table { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { text-align: right; padding: .35rem .7rem; border-bottom: 1px solid var(--rule); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td:last-child, th:last-child { padding-right: 0; }
th { font-weight: 600; color: var(--muted); white-space: nowrap; }
td small { display: block; color: var(--muted); font-size: .78rem; white-space: nowrap; }
td.why small { white-space: normal; }
th.text, td.text { text-align: left; } td.range { white-space: nowrap; }
figure { margin: 1rem 0 .4rem; }
figure svg { display: block; width: 100%; max-width: 42rem; height: auto; overflow: visible; }
svg text { font-family: system-ui, "Segoe UI", Roboto, sans-serif !important; }
details { margin: .3rem 0 1rem; }
summary { cursor: pointer; color: var(--muted); font-size: .9rem; }
code, .mono { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
pre { margin: .3rem 0; padding: .7rem .9rem; background: var(--panel); overflow-x: auto;
  font: .78rem/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; }
.listings { columns: 25rem 2; column-gap: 1.2rem; }
.listings figure { break-inside: avoid; margin: 0 0 1rem; }
blockquote { margin: .3rem 0; padding: .3rem .8rem; border-left: 2px solid var(--rule); overflow-wrap: anywhere;
  white-space: pre-wrap; }
.pass { color: var(--good); } .fail { color: var(--bad); }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .25rem 1rem; font-size: .9rem; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 34rem) { main { padding: 1.4rem 1rem 3rem; } h1 { font-size: 1.5rem; } body { font-size: 15px; }
  table { font-size: .84rem; } th, td { padding: .3rem .3rem; } th { white-space: normal; }
  td small { font-size: .72rem; white-space: normal; }
  dl { grid-template-columns: 1fr; } dt { margin-top: .4rem; } }
@media print { body { background: #fff; color: #000; font-size: 10.5pt; } main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; } figure, .summary, tr { break-inside: avoid; } .listings { columns: 1; }
  pre { white-space: pre-wrap; } details > * { display: block; } }
""".strip()
