import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { fetchArchive, rebuildArchive, runArchive, type ArchiveStatus } from '../api/archive.ts';
import { useServices } from '../app/services.ts';
import { formatBytes, formatCompact, formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { Badge, type Tone } from '../ui/badge.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Fact, Facts } from '../ui/facts.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Section } from '../ui/section.tsx';
import { When } from '../ui/when.tsx';
import { BadObjects } from './bad-objects.tsx';
import { leftText } from './storage-words.ts';
import styles from './storage.module.css';

const REFETCH_MS = 5_000;
const HOUR_MS = 3_600_000;
const STATES: Readonly<Record<string, readonly [tone: Tone, text: string]>> = {
  idle: ['good', 'all that is due is there'],
  working: ['good', 'working'],
  failing: ['bad', 'failing, tried again'],
  misplaced: ['bad', 'its objects are not where it is configured to be'],
  'unknown-objects': ['bad', 'there are objects that its manifest does not know'],
  rebuilding: ['warn', 'objects are being taken over'],
};

/** What is due is not looked for then. */
const STOPPED: ReadonlySet<string> = new Set(['misplaced', 'unknown-objects', 'rebuilding']);
const NOT_DUE = ['good', 'nothing is due yet'] as const;

/** How the Parquet archive gets on. */
export function ArchiveState() {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: ['archive'],
    queryFn: ({ signal }) => fetchArchive(client, signal),
    refetchInterval: REFETCH_MS,
  });
  const run = useMutation({
    mutationFn: async () => await runArchive(client),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['archive'] }),
  });
  const rebuild = useMutation({
    mutationFn: async () => await rebuildArchive(client),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['archive'] }),
  });
  const mayWrite = mayEverywhere('storage:write');
  const isOn = data !== undefined && data.state !== 'off';
  return (
    <Section
      title="Archive"
      note="Telemetry as Parquet, for Athena, Spark, DuckDB and pandas. Points wait for it before they are let go."
      actions={
        isOn &&
        mayWrite && (
          <Button variant="default" loading={run.isPending} onClick={() => run.mutate()}>
            Archive now
          </Button>
        )
      }
    >
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {run.error !== null && <ProblemNotice error={run.error} />}
      {data !== undefined && !isOn && (
        <EmptyNote
          title="There is no archive"
          command={{
            title: 'On this disk; docs/guides/archive.md tells of S3',
            command: 'npx selsyn up --set archive.target=disk',
          }}
        >
          When points are too old they are gone for good, but for their hours and days.
        </EmptyNote>
      )}
      {run.data !== undefined && <p role="status">{leftText(run.data)}</p>}
      {data?.state === 'unknown-objects' && (
        <div className={styles.warning} role="alert">
          <p>
            <strong>The manifest was lost, or is an old copy.</strong> Nothing is archived, and nothing written over. Put the
            newest copy back and start again, or take the objects over: each is read whole before.
          </p>
          {mayWrite && (
            <Button variant="default" size="xs" loading={rebuild.isPending} onClick={() => rebuild.mutate()}>
              Take them over
            </Button>
          )}
        </div>
      )}
      {rebuild.error !== null && <ProblemNotice error={rebuild.error} />}
      {isOn && <State status={data} />}
      {isOn && data.badObjects > 0 && <BadObjects count={data.badObjects} mayWrite={mayWrite} />}
    </Section>
  );
}

function State({ status }: { readonly status: ArchiveStatus }) {
  const { state, target, place, objects, bytes, points, backlogHours, lagMs, lastStoredAtMs, failures, lastError } = status;
  // Hours of which points have just come are not due.
  const [tone, text] = state === 'idle' && backlogHours > 0 ? NOT_DUE : (STATES[state] ?? ['plain', state]);
  return (
    <div className={styles.card} data-testid="archive" data-state={state}>
      <Facts>
        <Fact name="State">
          <Badge tone={tone}>{text}</Badge>
        </Fact>
        <Fact name={target === 's3' ? 'In S3' : 'On disk'}>{place ?? '–'}</Fact>
        <Fact name="Objects">{formatCount(objects)}</Fact>
        <Fact name="Bytes">{formatBytes(bytes)}</Fact>
        <Fact name="Points">{formatCompact(points)}</Fact>
        <Fact name="Backlog">
          {backlogHours === 0
            ? STOPPED.has(state)
              ? '–'
              : 'none'
            : `${formatCount(backlogHours)} ${backlogHours === 1 ? 'hour' : 'hours'}, the oldest over for ${(lagMs / HOUR_MS).toFixed(1)} h`}
        </Fact>
        <Fact name="Stored last">{lastStoredAtMs === undefined ? 'not since the start' : <When timeMs={lastStoredAtMs} />}</Fact>
        {failures > 0 && <Fact name="Failures">{formatCount(failures)}</Fact>}
      </Facts>
      {lastError !== undefined && (
        <p className={styles.error} data-testid="archive-error">
          Last error, <When timeMs={lastError.atMs} />: {lastError.message} <code>{lastError.code}</code>
        </p>
      )}
    </div>
  );
}
