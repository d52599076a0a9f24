import { useState } from 'react';
import { fetchJobExecutions, type Execution } from '../api/job-executions.ts';
import type { Job } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { CancelExecutionDialog } from './cancel-execution-dialog.tsx';
import { EXECUTION_COLUMNS, ExecutionRow } from './execution-row.tsx';
import { isRunning, statusWords } from './job-words.ts';
import styles from './jobs.module.css';

const RUNNING_REFETCH_MS = 2_500;
const REFETCH_MS = 30_000;

/** What a job does on each device. */
export function JobExecutions({ job, status }: { readonly job: Job; readonly status: string }) {
  const { client } = useServices();
  const { may } = useWho();
  const [cancelling, setCancelling] = useState<Execution>();
  const query = status === '' ? {} : { status };
  const pages = usePages({
    key: ['jobs', 'executions', job.id, status],
    fetch: (cursor, signal) => fetchJobExecutions(client, job.id, query, cursor, signal),
    refetchEveryMs: isRunning(job) ? RUNNING_REFETCH_MS : REFETCH_MS,
  });
  return (
    <section className={styles.section} aria-label="Executions">
      <h2>{status === '' ? 'Executions' : `Executions: ${statusWords(status)}`}</h2>
      <PagedTable
        label="Executions"
        columns={['Device', ...EXECUTION_COLUMNS]}
        pages={pages}
        row={(execution) => (
          <ExecutionRow
            key={`${execution.device} ${execution.number}`}
            execution={execution}
            of="device"
            onCancel={may('jobs:write', job.group) ? setCancelling : undefined}
          />
        )}
        empty={
          <EmptyNote title={status === '' ? 'No device has been given it yet' : 'None'}>
            {status === ''
              ? 'A device shows here as soon as it is its turn.'
              : 'A device shows by how its latest execution stands; those of before may stand otherwise.'}
          </EmptyNote>
        }
      />
      <CancelExecutionDialog execution={cancelling} onClose={() => setCancelling(undefined)} />
    </section>
  );
}
