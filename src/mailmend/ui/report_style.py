"""How a report's page looks: light and dark, wide and narrow, on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1b1f24; --faint: #57606a; --line: #d0d7de; --card: #f6f8fa;
  --bounced: #b42318; --deferred: #bf8700; --sent: #5b8def; --cure: #1a7f37;
}
@media (prefers-color-scheme: dark) { :root {
  --paper: #0d1117; --ink: #e6edf3; --faint: #9aa4ae; --line: #30363d; --card: #161b22;
  --bounced: #ff7b72; --deferred: #e3b341; --sent: #4f7fd6; --cure: #56d364;
} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
h3, td { overflow-wrap: break-word; }
dd, .text { overflow-wrap: anywhere; } .whole { white-space: nowrap; }
summary { cursor: pointer; padding: .5rem 0; color: var(--faint); }
td .text { min-width: 12rem; } table + table { margin-top: 1rem; }
small, .text, figcaption, .ends, .key, th { color: var(--faint); }
small, .text { font-size: .85em; }
dl, dd, figure { margin: 0; } ul { padding-left: 1.2rem; } li { margin: .35rem 0; overflow-wrap: anywhere; }
code { font: .95em ui-monospace, monospace; padding: .1em .4em; border: 1px solid var(--line); border-radius: 4px; }
.counts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
.counts div { flex: 1 1 8rem; padding: .5rem .75rem; background: var(--card); border-top: 3px solid var(--line); }
.counts .sent { border-color: var(--sent); } .counts .deferred { border-color: var(--deferred); }
.counts .bounced { border-color: var(--bounced); }
.counts dt { color: var(--faint); } .counts dd { font-size: 1.35rem; font-variant-numeric: tabular-nums; }
article { padding: .75rem 1rem; margin: .75rem 0; background: var(--card); border-left: 4px solid var(--deferred); }
article.cures { border-color: var(--bounced); }
article dl div { display: flex; gap: .75rem; } article dt { flex: 0 0 5rem; color: var(--faint); }
.fine { padding: .75rem 1rem; background: var(--card); border-left: 4px solid var(--cure); }
figure { margin: .5rem 0 1rem; }
figure svg { display: block; width: 100%; height: 6.5rem; border-bottom: 1px solid var(--line); }
.ends { display: flex; justify-content: space-between; font-size: .85em; }
.key span { margin-right: 1rem; } .key i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; }
rect.bounced { fill: var(--bounced); } rect.deferred { fill: var(--deferred); } rect.sent { fill: var(--sent); }
.key .bounced i { background: var(--bounced); } .key .deferred i { background: var(--deferred); }
.key .sent i { background: var(--sent); }
svg.bar { display: block; width: 100%; min-width: 8rem; height: .8rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: .85em; }
td.n, th.n { text-align: right; white-space: nowrap; }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%); height: 1px; width: 1px; overflow: hidden; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td, td.n { display: flex; gap: .75rem; text-align: left; white-space: normal; border: 0; padding: .1rem 0; }
  td::before { content: attr(data-of); flex: 0 0 6rem; color: var(--faint); }
  td[data-of=""]::before { content: none; }
  td .text, td > * { min-width: 0; } td[data-of^="cause"], td[data-of^="why"] { display: block; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --faint: #444; --line: #bbb; --card: #fff;
    --bounced: #b42318; --deferred: #bf8700; --sent: #9db8ee; --cure: #1a7f37; }
  body { font-size: 10pt; } main { padding: 0; max-width: none; }
  details::details-content { content-visibility: visible; }
  article, figure, tr { break-inside: avoid; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
