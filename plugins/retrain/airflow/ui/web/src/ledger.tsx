/* Every decision and observation, newest first. */

import { useState } from "preact/hooks";
import { get, Trouble } from "./api";
import type { LedgerLine, LedgerPage } from "./contract";
import { Cannot, Shown, useLoaded } from "./load";
import { Moment, Name, Right, Table, Text, Title } from "./parts";
import { RunLink, useDag } from "./runlink";
import { number } from "./words";

export function LedgerView({ pipeline, take }: { pipeline: string; take: boolean }) {
  return (
    <>
      <Title take={take}>
        Ledger of <Name>{pipeline}</Name>
      </Title>
      <Ledger pipeline={pipeline} />
    </>
  );
}

function Ledger({ pipeline }: { pipeline: string }) {
  const path = `pipelines/${encodeURIComponent(pipeline)}/ledger`;
  const dag = useDag(pipeline);
  const newest = useLoaded<LedgerPage>(path);
  const [older, setOlder] = useState<LedgerPage | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const more = async (entries: LedgerLine[]): Promise<void> => {
    try {
      const page = await get<LedgerPage>(`${path}?before=${entries.at(-1)?.number ?? 0}`);
      setOlder((before) => ({ entries: [...(before?.entries ?? []), ...page.entries], more: page.more }));
      setTrouble(null);
    } catch (error) {
      setTrouble(error instanceof Trouble ? error : new Trouble(0, String(error)));
    }
  };
  return (
    <Shown of={newest} what="The ledger">
      {(first) => {
        const entries = [...first.entries, ...(older?.entries ?? [])];
        if (entries.length === 0) return <p class="note">Nothing has been written yet.</p>;
        return (
          <>
            <Table label="Ledger, newest first" head={[<Right>No.</Right>, "When", "What", "By", "It says", "Run"]}>
              {entries.map((entry) => (
                <tr key={entry.number}>
                  <td class="number">{number(entry.number)}</td>
                  <td class="nowrap">
                    <Moment at={entry.at} />
                  </td>
                  <td>
                    <Text most={40}>{entry.kind}</Text>
                  </td>
                  <td>
                    <Text most={60}>{entry.actor}</Text> {entry.by === "human" && <span class="dim">(a person)</span>}
                  </td>
                  <td class="prose">
                    <Text>{entry.said}</Text>
                  </td>
                  <td>
                    <RunLink pipeline={pipeline} dag={dag} run={entry.run} />
                  </td>
                </tr>
              ))}
            </Table>
            {trouble && <Cannot what="Older entries" trouble={trouble} again={() => void more(entries)} />}
            {(older ?? first).more && !trouble && <button onClick={() => void more(entries)}>Older entries</button>}
          </>
        );
      }}
    </Shown>
  );
}
