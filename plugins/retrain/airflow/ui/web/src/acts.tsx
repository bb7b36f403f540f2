/* What a person can do: each act says beforehand what will happen, wants a reason, and is told who was first. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { perform, Trouble } from "./api";
import type { Act, Done } from "./contract";
import { Cannot, useLoaded } from "./load";
import { Text } from "./parts";
import { cut, inert, version } from "./words";

/** The acts of a pipeline. With `only`, those that concern that version, with it chosen. */
export function Acts({ pipeline, only, done }: { pipeline: string; only?: number; done: () => void }) {
  const acts = useLoaded<Act[]>(`pipelines/${encodeURIComponent(pipeline)}/acts`, 30_000);
  const [open, setOpen] = useState<Act | null>(null);
  const [said, setSaid] = useState("");
  if (acts.value === undefined) {
    return acts.trouble ? <Cannot what="What can be done" trouble={acts.trouble} again={acts.again} /> : null;
  }
  const fitting = only === undefined ? acts.value : acts.value.filter((act) => concerns(act, only));
  const possible = fitting.filter((act) => act.possible);
  const not = only === undefined ? fitting.filter((act) => !act.possible) : [];
  const finish = (what: Done): void => {
    setOpen(null);
    setSaid(what.said);
    acts.again();
    done();
  };
  return (
    <div class="acts" role="group" aria-label="What can be done">
      <div class="row">
        {possible.map((act) => (
          <button key={act.act} onClick={() => setOpen(act)}>
            <Text>{act.title}</Text>…
          </button>
        ))}
        {not.length > 0 && <NotNow acts={not} />}
      </div>
      <p class="done" role="status">
        {said && <Text>{said}</Text>}
      </p>
      {open && (
        <Dialog pipeline={pipeline} act={open} {...(only === undefined ? {} : { only })} close={() => setOpen(null)} done={finish} again={acts.again} />
      )}
    </div>
  );
}

function NotNow({ acts }: { acts: Act[] }) {
  const id = useId();
  return (
    <details>
      <summary>Not possible now: {acts.length}</summary>
      <ul class="plain">
        {acts.map((act) => (
          <li key={act.act}>
            <button aria-disabled="true" aria-describedby={`${id}-${act.act}`}>
              <Text>{act.title}</Text>
            </button>{" "}
            <span id={`${id}-${act.act}`}>
              <Text>{act.why_not ?? "not possible now"}</Text>
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function concerns(act: Act, only: number): boolean {
  return act.versions.some((one) => one.version === only);
}

interface Asked {
  pipeline: string;
  act: Act;
  only?: number;
  close: () => void;
  done: (what: Done) => void;
  again: () => void;
}

function Dialog({ pipeline, act, only, close, done, again }: Asked) {
  const own = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [chosen, choose] = useState<number | null>(only ?? (act.versions.length === 1 ? act.versions[0]!.version : null));
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const before = useRef(act); // what the person has read; a newer state must be read before it is agreed to

  useEffect(() => {
    const dialog = own.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);

  const agreed = before.current;
  const needed = agreed.versions.length > 0;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy || !reason.trim() || (needed && chosen === null)) return;
    setBusy(true);
    setTrouble(null);
    try {
      const what = await perform(pipeline, agreed, reason.trim(), needed ? chosen : null);
      own.current?.close(); // while it still stands, so that the focus goes back to where it was
      done(what);
    } catch (error) {
      setTrouble(error instanceof Trouble ? error : new Trouble(0, String(error)));
      setBusy(false);
      again();
    }
  };

  return (
    <dialog ref={own} aria-labelledby={`${id}-title`} aria-describedby={`${id}-will`} onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id={`${id}-title`}>
          <Text>{agreed.title}</Text>
        </h2>
        <p id={`${id}-will`}>
          <Text most={2000}>{agreed.will}</Text>
        </p>
        {needed && (
          <label class="field">
            Version
            <select
              required
              value={chosen ?? ""}
              onChange={(event) => choose(event.currentTarget.value ? Number(event.currentTarget.value) : null)}
            >
              <option value="">choose one</option>
              {agreed.versions.map((one) => (
                <option key={one.version} value={one.version}>
                  {version(one.version)}: {cut(inert(one.said), 120)}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="field">
          Why? It is kept in the ledger, with your name.
          <textarea
            required
            autofocus
            rows={3}
            maxLength={1000}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        {trouble && <Refused trouble={trouble} />}
        <div class="row end">
          <button type="button" onClick={close}>
            {trouble?.status === 409 ? "Close and look again" : "Cancel"}
          </button>
          {trouble?.status !== 409 && (
            <button type="submit" class="main" disabled={busy || !reason.trim() || (needed && chosen === null)}>
              {busy ? "Being done…" : <Text>{agreed.title}</Text>}
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}

function Refused({ trouble }: { trouble: Trouble }) {
  const unknown = trouble.status === 0 || trouble.status >= 500; // the answer was lost, not the act refused
  return (
    <div class="note bad" role="alert">
      <p>
        <strong>Not done.</strong> <Text>{trouble.message}</Text>
      </p>
      {trouble.todo && (
        <p>
          Now: <Text>{trouble.todo}</Text>
        </p>
      )}
      {unknown && <p>Whether it was done is not known: look at the ledger before you try again.</p>}
    </div>
  );
}
