/* The page's own style, in its shadow tree. Colours are held to 4.5:1 against what they stand on. */

export const STYLE = `
:host {
  all: initial; display: block; min-height: 100vh; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color-scheme: light;
  --paper: #fff; --ink: #1c2024; --dim: #565c66; --line: #d5dbe3; --edge: #868e99; --soft: #f3f6f9; --accent: #0b5cad;
  --bad: #a8201a; --bad-soft: #fdecea; --warn: #7a4300; --warn-soft: #fff2dc; --good: #14633d; --good-soft: #e5f5eb;
  --info: #0b4f94; --info-soft: #e6f0fb; --on-accent: #fff; --old: #868e99; --served: #cfe0f3; --trial: #e8dcf7;
}
:host([data-theme="dark"]) {
  color-scheme: dark;
  --paper: #14171b; --ink: #eceef1; --dim: #aab0ba; --line: #3a3f47; --edge: #7d848f; --soft: #1f2329; --accent: #7ab8ff;
  --bad: #ff9d94; --bad-soft: #3b1b1a; --warn: #ffc670; --warn-soft: #36280f; --good: #6bd8a0; --good-soft: #123020;
  --info: #94c8ff; --info-soft: #12283f; --on-accent: #0d1117; --old: #7d848f; --served: #1f3f63; --trial: #43306a;
}
:host([data-embedded]) { background: transparent; min-height: 0; height: 100%; overflow: auto; }
* { box-sizing: border-box; }
.page { container: page / inline-size; max-width: 84rem; margin: 0 auto; padding: 0 1.25rem 3rem; }
.top, .way, .row, .between { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .75rem; }
.top { justify-content: space-between; padding: .75rem 0; border-bottom: 1px solid var(--line); }
.between { justify-content: space-between; }
.page:has(.foreign) :is(.way, .alone) { display: none; }
.alone { float: right; margin: .5rem 0 0 1rem; font-size: .88rem; }
.way { padding: .6rem 0 .2rem; }
.tabs { display: flex; flex-wrap: wrap; gap: .25rem; margin-left: auto; }
.tabs a { padding: .2rem .6rem; border-radius: 6px; text-decoration: none; }
.tabs a[aria-current] { background: var(--info-soft); color: var(--info); font-weight: 600; box-shadow: inset 0 -2px var(--info); }
h1 { font-size: 1.45rem; line-height: 1.25; margin: .6rem 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.9rem 0 .5rem; }
h3 { font-size: .98rem; margin: 1rem 0 .4rem; overflow-wrap: anywhere; }
h1:focus { outline: none; }
.head h1 { margin-right: .2rem; }
p { margin: .4rem 0; }
p, li, dd, summary, output, .prose, .said { overflow-wrap: anywhere; } td, th { overflow-wrap: break-word; }
.lead { font-size: 1.05rem; }
.dim { color: var(--dim); }
.is-warn { color: var(--warn); font-weight: 600; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
button, input, select, textarea { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--edge);
  border-radius: 6px; padding: .25rem .65rem; max-width: 100%; }
button { cursor: pointer; background: var(--soft); }
button:hover { border-color: var(--accent); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
button:disabled, button[aria-disabled="true"] { background: transparent; color: var(--dim); border-style: dashed; cursor: not-allowed; }
button.quiet { border: 0; background: none; padding: 0 .2rem; color: var(--accent); text-decoration: underline; font-size: .9em; }
.chip { border-radius: 99px; padding: .1rem .7rem; font-size: .9em; }
.chip[aria-pressed="true"] { background: var(--info-soft); border-color: var(--info); color: var(--info); font-weight: 600; }
.badge { display: inline-block; padding: 0 .5rem; border: 1px solid currentColor; border-radius: 5px; font-size: .82rem;
  font-weight: 600; white-space: nowrap; color: var(--dim); }
.badge.bad { color: var(--bad); background: var(--bad-soft); } .badge.warn { color: var(--warn); background: var(--warn-soft); }
.badge.info { color: var(--info); background: var(--info-soft); } .badge.good { color: var(--good); background: var(--good-soft); }
.note { padding: .5rem .8rem; border-left: 4px solid var(--edge); background: var(--soft); border-radius: 4px; max-width: 60rem; }
.note.bad { border-color: var(--bad); background: var(--bad-soft); } .note.warn { border-color: var(--warn); background: var(--warn-soft); }
.note p:first-child { margin-top: 0; } .note p:last-child { margin-bottom: 0; }
.scroll { overflow-x: auto; margin: .4rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid var(--line); min-width: 4rem; }
th { font-weight: 600; } thead th { background: var(--soft); white-space: nowrap; } tbody th { min-width: 8rem; }
td.number, th.number, th:has(> .right) { text-align: right; } time { white-space: nowrap; }
caption { text-align: left; padding: .5rem 0 .25rem; font-weight: 600; } td.number { white-space: nowrap; } .nowrap { white-space: nowrap; } td.prose { min-width: 16rem; } .run, .flat td, .flat th { white-space: nowrap; }
.fleet td:first-child { width: 1%; }
.fleet .said { font-weight: 400; color: var(--dim); } .filters { margin: .5rem 0 .75rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .5rem 1.25rem; margin: .9rem 0; }
.facts dt { color: var(--dim); font-size: .88rem; } .facts dd { margin: 0; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--accent); width: fit-content; max-width: 100%; }
ul.plain { list-style: none; padding: 0; margin: .4rem 0; } ul.plain li { margin: .35rem 0; }
.acts details { margin: 0; } .done:empty { display: none; } .done { color: var(--good); font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .2rem .9rem .6rem; min-width: 0; }
.steps { display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; padding: 0; margin: .8rem 0; }
.steps li { border: 1px solid var(--edge); border-radius: 6px; padding: .25rem .8rem; color: var(--dim); min-width: 6rem; }
.steps .here { border: 2px solid var(--info); background: var(--info-soft); color: var(--info); }
.steps .past { border-color: var(--good); color: var(--good); background: var(--good-soft); }
.steps .ended { border: 2px solid var(--bad); background: var(--bad-soft); color: var(--bad); }
.answer { margin: .5rem 0; display: flex; flex-wrap: wrap; gap: .3rem .6rem; align-items: baseline; }
.answer output { flex: 1 1 20rem; min-height: 1.5em; }
.legend { font-size: .88rem; } .key { display: inline-block; width: .9rem; height: .7rem; margin-left: .4rem; border: 1px solid var(--edge); }
.key:first-child { margin-left: 0; }
dialog { background: var(--paper); color: var(--ink); border: 1px solid var(--edge); border-radius: 10px; padding: 1.1rem 1.3rem;
  width: min(36rem, calc(100vw - 2rem)); max-height: calc(100vh - 3rem); overflow: auto; }
dialog::backdrop { background: rgb(0 0 0 / .55); } dialog h2 { margin: 0 0 .4rem; }
.field { display: block; margin: .8rem 0; } .field select, .field textarea { display: block; width: 100%; margin-top: .25rem; }
.end { justify-content: flex-end; margin-top: 1rem; }
svg { display: block; max-width: 100%; overflow: visible; } svg text { fill: var(--ink); font-size: 12px; }
svg .axis, svg .label { fill: var(--dim); } svg .strong { fill: var(--warn); font-weight: 600; } svg .tick { stroke: var(--line); }
svg .served, .key.served { fill: var(--served); background: var(--served); stroke: var(--info); }
svg .back, svg .served.back, .key.back { fill: var(--warn-soft); background: var(--warn-soft); stroke: var(--warn); }
svg .trial, .key.trial { fill: var(--trial); background: var(--trial); stroke: var(--edge); }
svg .trial.bad, .key.bad { fill: var(--bad-soft); background: var(--bad-soft); stroke: var(--bad); }
svg .mark { fill: var(--good); } svg .mark.bad { stroke: var(--bad); stroke-width: 2.5; fill: none; }
svg .cursor { stroke: var(--edge); stroke-dasharray: 2 3; } svg .zero { stroke: var(--edge); stroke-width: 1.5; }
svg .margin { stroke: var(--warn); stroke-width: 2; stroke-dasharray: 5 3; }
svg .whisker { stroke: var(--ink); stroke-width: 2; } svg .point { fill: var(--ink); }
svg .worse { stroke: var(--bad); } svg .point.worse { fill: var(--bad); } svg .better { stroke: var(--good); } svg .point.better { fill: var(--good); }
svg .band { fill: var(--accent); fill-opacity: .2; } svg .line { fill: none; stroke: var(--accent); stroke-width: 2; }
svg .before { fill: var(--old); } svg .now { fill: var(--accent); } .key.before { background: var(--old); } .key.now { background: var(--accent); }
.chart { cursor: crosshair; }
.forest th .badge { margin-left: .3rem; } @container page (min-width: 641px) {
  .forest { table-layout: fixed; min-width: 62rem; } .forest .plot { width: 348px; } .forest th:first-child { width: 15rem; }
}
@media (max-width: 640px) { .page { padding: 0 .75rem 2rem; } }
@container page (max-width: 640px) {
  .tabs { margin-left: 0; width: 100%; }
  .stack, .stack tbody, .stack tr, .stack td, .stack th { display: block; min-width: 0; width: auto; border: 0; }
  .stack caption { display: block; } .stack thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .stack tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack td, .stack th { padding: .08rem 0; white-space: normal; overflow-wrap: anywhere; }
  .stack td.number { text-align: left; white-space: normal; }
  .stack td[data-label]::before { content: attr(data-label) ": "; color: var(--dim); font-size: .88rem; }
  .stack td[data-label=""]::before, .stack td:has(> .badge:only-child)::before, .stack td.plot::before { content: none; }
  .stack .run { white-space: normal; }
  .fleet td.small { display: inline; margin-right: .6rem; font-size: .9rem; }
  .forest td.wide { display: none; } .forest td .dim { display: inline; } .forest .plot { width: 100%; }
}
@media (prefers-reduced-motion: no-preference) { .chip, button { transition: border-color .15s; } }
`;
