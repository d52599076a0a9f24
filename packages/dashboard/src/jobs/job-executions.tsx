import { TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { fetchJobExecutions, findJobExecution, type Execution } from '../api/job-executions.ts';
import { DEVICE_ID_PATTERN } from '../api/devices.ts';
import type { Job } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { Icon } from '../ui/icons.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { useTyped } from '../ui/use-typed.ts';
import { CancelExecutionDialog } from './cancel-execution-dialog.tsx';
import { EXECUTION_COLUMNS, ExecutionRow } from './execution-row.tsx';
import { isMoving, statusWords } from './job-words.ts';
import styles from './jobs.module.css';

/** What a device says while it is at it changes no count. */
const REFETCH_MS = 5_000;
const SETTLED_REFETCH_MS = 30_000;

/** What a job does on each device. */
export function JobExecutions({ job, status }: { readonly job: Job; readonly status: string }) {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const [cancelling, setCancelling] = useState<Execution>();
  const [find, setFind] = useState('');
  const field = useTyped(find, (text) => setFind(DEVICE_ID_PATTERN.test(text) ? text : ''));
  const query = status === '' ? {} : { status };
  const pages = usePages({
    key: ['jobs', 'executions', job.id, status, find],
    fetch: (cursor, signal) =>
      find === '' ? fetchJobExecutions(client, job.id, query, cursor, signal) : findJobExecution(client, job.id, find, signal),
    refetchEveryMs: isMoving(job) ? REFETCH_MS : SETTLED_REFETCH_MS,
  });
  const counts = JSON.stringify(job.counts);
  useEffect(() => void queries.invalidateQueries({ queryKey: ['jobs', 'executions', job.id] }), [queries, job.id, counts]);
  return (
    <section className={styles.section} aria-label="Executions">
      <div className={styles.head}>
        <h2>{status === '' || find !== '' ? 'Executions' : `Executions: ${statusWords(status)}`}</h2>
        <TextInput
          type="search"
          size="xs"
          aria-label="Find by the id of a device"
          placeholder="Device id"
          leftSection={<Icon name="search" size={14} />}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          value={field.text}
          onChange={(event) => field.type(event.currentTarget.value)}
        />
      </div>
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
          <EmptyNote title={emptyTitle(status, find)}>
            {status === '' && 'A device shows here as soon as it is its turn.'}
          </EmptyNote>
        }
      />
      <CancelExecutionDialog execution={cancelling} onClose={() => setCancelling(undefined)} />
    </section>
  );
}

function emptyTitle(status: string, find: string): string {
  if (find !== '') return `${find} has not been given it`;
  return status === '' ? 'No device has been given it yet' : 'None';
}
