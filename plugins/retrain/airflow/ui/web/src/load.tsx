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

interface Known<T> {
  path: string;
  value?: T;
  trouble: Trouble | null;
  seen: Date | null;
}

/** Reads a path, and again every so many milliseconds while the page is visible; less often while that fails. */
export function useLoaded<T>(path: string, every: number | null = null): Loaded<T> {
  const [known, setKnown] = useState<Known<T>>({ path, trouble: null, seen: null });
  const [asked, ask] = useState(0);
  const failures = useRef(0);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (): void => {
      if (every === null || stop.signal.aborted) return;
      timer = setTimeout(() => void read(), Math.min(every * 2 ** failures.current, LONGEST_WAIT));
    };
    const read = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.visibilityState === "hidden" && every !== null) return; // goes on when somebody looks
      try {
        const value = await get<T>(path, stop.signal);
        failures.current = 0;
        setKnown({ path, value, trouble: null, seen: new Date() });
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
  }, [path, every, asked]);

  const again = useCallback(() => ask((times) => times + 1), []);
  const current = known.path === path ? known : { path, trouble: null, seen: null };
  return { value: current.value, trouble: current.trouble, seen: current.seen, again };
}

/** What was loaded; or that it is on its way; or why it cannot be shown. */
export function Shown<T>(props: { of: Loaded<T>; what: string; children: (value: T) => ComponentChildren }) {
  const { value, trouble, seen, again } = props.of;
  if (value === undefined) {
    return trouble ? <Cannot what={props.what} trouble={trouble} again={again} /> : <Waiting what={props.what} />;
  }
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
