import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { planRetention, runRetention, type RetentionPolicy } from '../api/retention.ts';
import { useServices } from '../app/services.ts';
import { formatBytes, formatCount } from '../format/number-format.ts';
import { DataTable } from '../ui/data-table.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { stepRuns } from './step-runs.ts';
import { blockedText, levelName, spanText } from './storage-words.ts';
import styles from './storage.module.css';

interface DryRunProps {
  /** As if they were in force, in the place of those with their names. */
  readonly policies: readonly RetentionPolicy[];
  readonly mayRun: boolean;
}

const SHOWN = 20;
const COLUMNS = ['What', 'Days', 'Files', 'Takes', 'Frees'] as const;

/** What would go now, and how much that frees. Nothing is changed. */
export function DryRun({ policies, mayRun }: DryRunProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const { data, error, isPending, isFetching, refetch } = useQuery({
    queryKey: ['retention-plan', policies],
    queryFn: async () => await planRetention(client, policies),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const run = useMutation({
    mutationFn: async () => await runRetention(client),
    onSettled: () => {
      for (const key of ['retention', 'retention-plan', 'storage']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  if (error !== null) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (isPending) return <p className={styles.quiet}>Looking through the files…</p>;
  const { steps, freesBytes, refused } = data;
  const goes = steps.filter(({ blocked }) => blocked === undefined);
  const runs = stepRuns(steps);
  return (
    <div className={styles.plan} data-testid="plan" data-steps={steps.length} aria-busy={isFetching}>
      <div className={styles.planHead}>
        <p>
          {goes.length === 0 ? (
            <strong>Nothing would go.</strong>
          ) : (
            <>
              <strong>{formatBytes(freesBytes)}</strong> would be free, of {formatCount(goes.length)}{' '}
              {goes.length === 1 ? 'file' : 'files'}.
            </>
          )}
          {steps.length > goes.length && ` ${formatCount(steps.length - goes.length)} that are too old stay for now.`}
        </p>
        {mayRun && policies.length === 0 && goes.length > 0 && refused === undefined && (
          <Button color="brick" size="xs" loading={run.isPending} onClick={() => run.mutate()}>
            Let it go now
          </Button>
        )}
      </div>
      {refused !== undefined && <p className={styles.bad}>{refused}</p>}
      {run.error !== null && <ProblemNotice error={run.error} />}
      {run.data !== undefined && <p role="status">{formatBytes(run.data)} were freed.</p>}
      {runs.length > 0 && (
        <DataTable label="What would go" columns={COLUMNS}>
          {runs.slice(0, SHOWN).map(({ key, level, isTrim, span, files, bytes, freesBytes: frees, blocked }) => (
            <tr key={key} data-step={level}>
              <td data-label="What">
                {levelName(level)}
                {isTrim && ', some series'}
              </td>
              <td data-label="Days">{spanText(span)}</td>
              <td data-label="Files">{formatCount(files)}</td>
              <td data-label="Takes">{formatBytes(bytes)}</td>
              <td data-label="Frees">{blocked === undefined ? formatBytes(frees) : `nothing: ${blockedText(blocked)}`}</td>
            </tr>
          ))}
        </DataTable>
      )}
      {(data.more > 0 || runs.length > SHOWN) && <p className={styles.quiet}>There is more than is shown.</p>}
    </div>
  );
}
