/* Small things that every view is made of. All text from elsewhere goes through <Text>. */

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { href, type Route } from "./route";
import { cut, duration, inert, moment, number, utc, version } from "./words";

const SHOWN = 280;

/** Text from data, people or files: inert, set apart from the line's direction, and folded where it is long. */
export function Text({ children, most = SHOWN }: { children: unknown; most?: number }) {
  const [whole, setWhole] = useState(false);
  const text = inert(plain(children));
  if (text.length <= most || whole) return <bdi>{text}</bdi>;
  return (
    <>
      <bdi>{cut(text, most)}</bdi>{" "}
      <button class="quiet" onClick={() => setWhole(true)}>
        all {number(text.length)} characters
      </button>
    </>
  );
}

/** The same in one line, for names in links, headings and charts. */
export function Name({ children, most = 80 }: { children: string; most?: number }) {
  return <bdi>{cut(inert(children), most)}</bdi>;
}

/** Any value of JSON in words. `figure`: how its numbers are said; as they stand if not told, for settings are exact. */
export function plain(value: unknown, figure: (value: number) => string = String): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  if (typeof value === "number") return figure(value);
  if (Array.isArray(value)) return value.map((inner) => plain(inner, figure)).join(", ") || "–";
  if (typeof value === "object") {
    return Object.entries(value)
      .map(([name, inner]) => `${name} ${plain(inner, figure)}`)
      .join(", ");
  }
  return String(value);
}

export type Tone = "bad" | "warn" | "info" | "good" | "none";

const TONES: Record<string, Tone> = {
  UNREAD: "bad", BROKEN: "bad", FAILED: "bad", WAITING: "warn", STALE: "warn", DRIFTED: "warn", CANARY: "info",
  NEW: "info", OK: "good", blessed: "good", passed: "good", promoted: "good", champion: "good", better: "good",
  serving: "good", within: "good", approved: "good", vetoed: "bad", failed: "bad", worse: "bad", rejected: "bad",
  rolled_back: "bad", "rolled back": "bad", "rehearsal failed": "bad", "bad data": "bad", broken: "bad",
  undecided: "warn", paused: "warn", open: "warn", stale: "warn", interrupted: "warn", drifted: "warn", skipped: "none",
  shadowing: "info", ramping: "info", challenger: "info", trained: "none", retired: "none", "not compared": "none",
};

/** A word that says how something is; its colour says no more than the word. */
export function Badge({ children }: { children: string }) {
  return <span class={`badge ${TONES[children] ?? "none"}`}>{cut(inert(children.replaceAll("_", " ")), 40)}</span>;
}

/** A moment in the viewer's zone; in UTC on hover. */
export function Moment({ at }: { at: string | null }) {
  if (at === null) return <>–</>;
  return (
    <time dateTime={at} title={utc(at)}>
      {moment(at)}
    </time>
  );
}

/** How long until a moment, or since it. */
export function fromNow(at: string): string {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000;
  return seconds >= 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`;
}

export function Link({ to, children, current }: { to: Route; children: ComponentChildren; current?: boolean }) {
  return (
    <a href={href(to)} {...(current ? { "aria-current": "page" as const } : {})}>
      {children}
    </a>
  );
}

export function VersionLink({ pipeline, of }: { pipeline: string; of: number }) {
  return <Link to={{ view: "version", pipeline, version: of }}>{version(of)}</Link>;
}

/**
 * A table that scrolls by itself where it is too wide, by keyboard too. On a narrow screen each row is a block of
 * named values, unless it is `flat`: many columns of short values.
 */
export function Table(props: Tabular) {
  const own = useRef<HTMLTableElement>(null);
  useLayoutEffect(() => labelCells(own.current));
  return (
    <Scroll label={props.label}>
      <table ref={own} class={`${props.flat ? "flat" : "stack"} ${props.class ?? ""}`}>
        <thead>
          <tr>
            {props.head.map((title, index) => (
              <th key={index} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </Scroll>
  );
}

/** The head of a column of numbers, which stand at the right. */
export function Right({ children }: { children: ComponentChildren }) {
  return <span class="right">{children}</span>;
}

interface Tabular {
  label: string;
  head: ComponentChildren[];
  class?: string;
  flat?: boolean;
  children: ComponentChildren;
}

/** Each cell knows its column's title, and stays a cell when it is shown as a block. */
export function labelCells(table: HTMLTableElement | null): void {
  if (!table) return;
  const titles = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent ?? "");
  table.setAttribute("role", "table");
  for (const part of table.querySelectorAll("thead, tbody")) part.setAttribute("role", "rowgroup");
  for (const row of table.querySelectorAll("tr")) {
    row.setAttribute("role", "row");
    [...row.children].forEach((cell, index) => {
      const head = cell.getAttribute("scope") === "col" ? "columnheader" : "rowheader";
      cell.setAttribute("role", cell.tagName === "TH" ? head : "cell");
      if (cell.tagName === "TD") cell.setAttribute("data-label", titles[index] ?? "");
    });
  }
}

export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

/** Names and values, side by side where there is room. */
export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The heading of a view; it takes the focus when the view changes, so that a screen reader says where one is. */
export function Title({ children, take = true }: { children: ComponentChildren; take?: boolean }) {
  const own = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (take) own.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={own} tabIndex={-1}>
      {children}
    </h1>
  );
}

export function Section({ title, children, aside }: { title: string; children: ComponentChildren; aside?: ComponentChildren }) {
  return (
    <section>
      <div class="between">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** The width of an element, as it changes. */
export function useWidth<E extends HTMLElement>(fallback: number): [{ current: E | null }, number] {
  const own = useRef<E>(null);
  const [width, setWidth] = useState(fallback);
  useEffect(() => {
    const element = own.current;
    if (!element || typeof ResizeObserver === "undefined") return;
    const watch = new ResizeObserver(([entry]) => {
      const now = Math.floor(entry?.contentRect.width ?? 0);
      if (now > 0) setWidth(now);
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return [own, width];
}
