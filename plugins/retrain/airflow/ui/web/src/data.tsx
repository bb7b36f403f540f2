/* What the newest validations found, failures first, and the rows that were put in quarantine. */

import { useState } from "preact/hooks";
import { download, Trouble } from "./api";
import type { DataStory, Expected, Validated } from "./contract";
import { Cannot, Shown, useLoaded } from "./load";
import { Badge, Name, Right, Section, Table, Text, Title, plain } from "./parts";
import { RunLink, useDag } from "./runlink";
import { moment, number } from "./words";

export function DataView({ pipeline, take }: { pipeline: string; take: boolean }) {
  const dag = useDag(pipeline);
  const data = useLoaded<DataStory>(`pipelines/${encodeURIComponent(pipeline)}/data`);
  return (
    <>
      <Title take={take}>
        Data of <Name>{pipeline}</Name>
      </Title>
      <Shown of={data} what="The validations">
        {({ validations }) =>
          validations.length === 0 ? (
            <p class="note">No data has been validated yet.</p>
          ) : (
            <>
              {validations.map((one, index) => (
                <Checked key={one.key} pipeline={pipeline} dag={dag} of={one} newest={index === 0} />
              ))}
            </>
          )
        }
      </Shown>
    </>
  );
}

function Checked({ pipeline, dag, of, newest }: { pipeline: string; dag: string | null; of: Validated; newest: boolean }) {
  const failed = of.expectations.filter((one) => !one.success);
  const passed = of.expectations.filter((one) => one.success);
  return (
    <Section title={`${newest ? "Newest validation" : "Validation"} of ${moment(of.at)}`}>
      <p>
        <Badge>{of.success ? "passed" : "failed"}</Badge> {number(of.rows)} rows;{" "}
        {failed.length === 0
          ? `all ${number(passed.length)} expectations met`
          : `${number(failed.length)} of ${number(of.expectations.length)} expectations not met`}
        {of.run && (
          <>
            {" "}
            in run <RunLink pipeline={pipeline} dag={dag} run={of.run} />
          </>
        )}
      </p>
      {failed.length > 0 && <Expectations of={failed} label={`Expectations not met at ${moment(of.at)}`} />}
      {of.quarantine && <Quarantine pipeline={pipeline} of={of} />}
      {passed.length > 0 && (
        <details>
          <summary>{number(passed.length)} expectations met</summary>
          <Expectations of={passed} label={`Expectations met at ${moment(of.at)}`} />
        </details>
      )}
    </Section>
  );
}

function Expectations({ of, label }: { of: Expected[]; label: string }) {
  return (
    <Table label={label} head={["Expectation", "Column", "Observed", <Right>Rows</Right>, "On", "It says"]}>
      {of.map((one, index) => (
        <tr key={index}>
          <th scope="row">
            <Text most={80}>{one.expectation}</Text>
          </th>
          <td>{one.column === null ? "–" : <Text most={60}>{one.column}</Text>}</td>
          <td>
            <Text most={80}>{plain(one.observed, number)}</Text>
          </td>
          <td class="number">{one.unexpected_rows === null ? "–" : number(one.unexpected_rows)}</td>
          <td>
            <Text most={40}>{one.scope}</Text>
          </td>
          <td class="prose">
            <Text>{one.message}</Text>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Quarantine({ pipeline, of }: { pipeline: string; of: Validated }) {
  const kept = of.quarantine!;
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const path = `pipelines/${encodeURIComponent(pipeline)}/data/${encodeURIComponent(of.key)}/quarantine`;
  const fetchAll = (): void => {
    setTrouble(null);
    download(path, `${pipeline}-quarantine.csv`).catch((error: unknown) => {
      setTrouble(error instanceof Trouble ? error : new Trouble(0, String(error)));
    });
  };
  return (
    <>
      <div class="between">
        <h3>{number(kept.rows)} rows in quarantine</h3>
        <button onClick={fetchAll}>All of them, as CSV</button>
      </div>
      {trouble && <Cannot what="The file" trouble={trouble} again={fetchAll} />}
      {kept.sample.length < kept.rows && <p class="dim">The first {number(kept.sample.length)} are shown.</p>}
      <Table flat label={`Rows in quarantine of ${moment(of.at)}`} head={kept.columns.map((name) => <Text most={60}>{name}</Text>)}>
        {kept.sample.map((row, index) => (
          <tr key={index}>
            {row.map((cell, column) => (
              <td key={column}>
                <Text most={60}>{cell}</Text>
              </td>
            ))}
          </tr>
        ))}
      </Table>
    </>
  );
}
