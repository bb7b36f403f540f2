/* Something the server knows: asked for, kept fresh while anybody looks, and kept in sight when it cannot be read. */

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { airflow, get, Trouble } from "./api";
import { Text } from "./parts";
import { moment } from "./words";

const LONGEST_WAIT = 60_000;

/** What is known of a path. `seen`: when it was last read. `again`: read it now. */
export interface Loaded<T> {
  value: T | undefined;
  trouble: Trouble | null;
  seen: Date | null;
  again: () => void;
}

/** Milliseconds from one reading to the next; a function of what was read must be the same one at each call. */
type Every<T> = number | null | ((newest: T | undefined) => number);

interface Known<T> {
  path: string;
  value?: T;
  trouble: Trouble | null;
  seen: Date | null;
}

/**
 * Reads a path, and again every so many milliseconds while the page is visible; less often while that fails.
 * `every` may depend on what was read last. `mark`: what else it is read again for, at each change.
 */
export function useLoaded<T>(path: string, every: Every<T> = null, mark: unknown = null): Loaded<T> {
  const [known, setKnown] = useState<Known<T>>({ path, trouble: null, seen: null });
  const [asked, ask] = useState(0);
  const failures = useRef(0);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let newest: T | undefined;
    const later = (): void => {
      if (every === null || stop.signal.aborted) return;
      const wait = typeof every === "number" ? every : every(newest);
      timer = setTimeout(() => void read(), Math.min(wait * 2 ** failures.current, LONGEST_WAIT));
    };
    const read = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.visibilityState === "hidden" && every !== null) return; // goes on when somebody looks
      try {
        newest = await get<T>(path, stop.signal);
        failures.current = 0;
        setKnown({ path, value: newest, trouble: null, seen: new Date() });
      } catch (error) {
        if (stop.signal.aborted) return;
        failures.current += 1;
        const trouble = error instanceof Trouble ? error : new Trouble(0, String(error));
        setKnown((before) => (before.path === path ? { ...before, trouble } : { path, trouble, seen: null }));
      }
      later();
    };
    const looked = (): void => {
      if (document.visibilityState === "visible") void read();
    };
    if (every !== null) document.addEventListener("visibilitychange", looked);
    void read();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", looked);
    };
  }, [path, every, mark, asked]);

  const again = useCallback(() => ask((times) => times + 1), []);
  const current = known.path === path ? known : { path, trouble: null, seen: null };
  return { value: current.value, trouble: current.trouble, seen: current.seen, again };
}

interface Showing<T> {
  of: Loaded<T>;
  what: string;
  title?: ComponentChildren;
  children: (value: T) => ComponentChildren;
}

/** What was loaded; or that it is on its way; or why it cannot be shown, below the title that it would have had. */
export function Shown<T>(props: Showing<T>) {
  const { value, trouble, seen, again } = props.of;
  if (value === undefined && trouble) {
    return (
      <>
        {props.title}
        <Cannot what={props.what} trouble={trouble} again={again} />
      </>
    );
  }
  if (value === undefined) return <Waiting what={props.what} />;
  return (
    <>
      {trouble && (
        <p class="note warn" role="alert">
          {props.what} cannot be read since {seen ? moment(seen.toISOString()) : "now"}: <Text>{trouble.message}</Text>.
          What is below is from then. <button onClick={again}>Try again</button>
        </p>
      )}
      {props.children(value)}
    </>
  );
}

function Waiting({ what }: { what: string }) {
  return (
    <p class="dim" role="status">
      {what}: being read…
    </p>
  );
}

/** Why something cannot be shown, where that is, and what to do. */
export function Cannot({ what, trouble, again }: { what: string; trouble: Trouble; again: () => void }) {
  return (
    <div class="note bad" role="alert">
      <p>
        <strong>{what} cannot be shown.</strong> <Text>{trouble.message}</Text>
      </p>
      {trouble.where && (
        <p>
          Where: <Text>{trouble.where}</Text>
        </p>
      )}
      {trouble.todo && (
        <p>
          Now: <Text>{trouble.todo}</Text>
        </p>
      )}
      <p>
        {trouble.status === 401 ? (
          <a href={airflow(`api/v2/auth/login?next=${encodeURIComponent(location.pathname + location.search + location.hash)}`)}>Sign in</a>
        ) : (
          <button onClick={again}>Try again</button>
        )}
      </p>
    </div>
  );
}
