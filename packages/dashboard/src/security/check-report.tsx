import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchLastReport, runChecks } from '../api/checks.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { CheckOutcomes } from './check-outcomes.tsx';
import styles from './security.module.css';

/** The last report of the audit checks, and a way to run them now. */
export function CheckReport() {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const queries = useQueryClient();
  const [all, setAll] = useState(false);
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['check-report'],
    // Null: React Query keeps no undefined.
    queryFn: async ({ signal }) => (await fetchLastReport(client, signal)) ?? null,
  });
  const run = useMutation({
    mutationFn: async () => await runChecks(client),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['check-report'] }),
  });
  const mayRun = mayEverywhere('checks:write');
  const shown = data?.outcomes.filter(({ status }) => all || status !== 'compliant') ?? [];
  const hidden = (data?.outcomes.length ?? 0) - shown.length;
  return (
    <section className={styles.section} aria-label="Audit checks">
      <div className={styles.head}>
        <h2>Audit checks</h2>
        {data !== undefined && data !== null && (
          <span className={styles.note}>
            run <When timeMs={data.finishedAtMs} /> by {data.startedBy}
          </span>
        )}
        {mayRun ? (
          <Button variant="default" size="xs" loading={run.isPending} onClick={() => run.mutate()}>
            Run now
          </Button>
        ) : (
          <span className={styles.note}>They run daily; to run them now takes checks:write at /.</span>
        )}
      </div>
      {run.error !== null && <ProblemNotice error={run.error} />}
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isPending && <p className={styles.note}>Loading…</p>}
      {data === null && (
        <EmptyNote
          title="The checks have not run yet"
          command={mayRun ? { title: 'The same from a shell', command: 'npx selsyn checks run' } : undefined}
        >
          They look for shared and weak certificates, wide policies, authorities that end, and others, once a day.
        </EmptyNote>
      )}
      {data !== undefined && data !== null && (
        <>
          {shown.length === 0 && <p className={styles.clean}>All {data.outcomes.length} checks found nothing.</p>}
          <CheckOutcomes outcomes={shown} findings={data.findings} />
          {(hidden > 0 || all) && (
            <button type="button" className={styles.more} onClick={() => setAll(!all)}>
              {all ? 'Only those that found something' : `${hidden} checks that found nothing`}
            </button>
          )}
        </>
      )}
    </section>
  );
}
