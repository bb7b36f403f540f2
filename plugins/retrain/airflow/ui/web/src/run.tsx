/* What a run of Airflow's came to: the story of the version it made. */

import type { OfRun } from "./contract";
import { Shown, useLoaded } from "./load";
import { Foreign, PipelineView } from "./pipeline";
import { Name, Title } from "./parts";
import { VersionView } from "./version";

export function RunView({ dag, run, take }: { dag: string; run: string; take: boolean }) {
  const story = useLoaded<OfRun>(`runs/${encodeURIComponent(dag)}/${encodeURIComponent(run)}`, 30_000);
  if (story.value === undefined && story.trouble?.status === 404) return <Foreign name={dag} />;
  const title = (
    <Title take={take}>
      Run <Name>{run}</Name>
    </Title>
  );
  return (
    <Shown of={story} what="This run" title={title}>
      {({ pipeline, version }) =>
        version === null ? (
          <>
            <p class="note">
              The run <Name>{run}</Name> has trained no version, or not yet. This is how its pipeline stands.
            </p>
            <PipelineView pipeline={pipeline} foreign={false} take={take} />
          </>
        ) : (
          <VersionView pipeline={pipeline} of={version} take={take} />
        )
      }
    </Shown>
  );
}
