import { NativeSelect } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchDeviceJobs, type Execution } from '../api/job-executions.ts';
import type { Device } from '../api/devices.ts';
import { EXECUTION_STATUSES } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { useStateFeed } from '../live/use-state-feed.ts';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { CancelExecutionDialog } from './cancel-execution-dialog.tsx';
import { EXECUTION_COLUMNS, ExecutionRow } from './execution-row.tsx';
import { statusWords } from './job-words.ts';
import styles from './jobs.module.css';

/** The jobs of a device, the latest first, as it goes through them. */
export function DeviceJobsTab({ device }: { readonly device: Device }) {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const [status, setStatus] = useState('');
  const [cancelling, setCancelling] = useState<Execution>();
  const query = status === '' ? {} : { status };
  const pages = usePages({
    key: ['jobs', 'device', device.id, status],
    fetch: (cursor, signal) => fetchDeviceJobs(client, device.id, query, cursor, signal),
  });
  useStateFeed('jobs', device.id, () => void queries.invalidateQueries({ queryKey: ['jobs', 'device', device.id] }));
  return (
    <section aria-label="Jobs">
      <div className={styles.head}>
        <p>What jobs ask of this device, and how far it is with each.</p>
        <NativeSelect
          size="xs"
          aria-label="Which executions"
          data={[{ value: '', label: 'All' }, ...EXECUTION_STATUSES.map((value) => ({ value, label: statusWords(value) }))]}
          value={status}
          onChange={(event) => setStatus(event.currentTarget.value)}
        />
      </div>
      <PagedTable
        label="Jobs of this device"
        columns={['Job', ...EXECUTION_COLUMNS]}
        pages={pages}
        row={(execution) => (
          <ExecutionRow
            key={`${execution.job} ${execution.number}`}
            execution={execution}
            of="job"
            onCancel={may('jobs:write') ? setCancelling : undefined}
          />
        )}
        empty={
          <EmptyNote title={status === '' ? 'No job yet' : `No job is ${statusWords(status)} here`}>
            {status === '' && 'A job that means this device shows here as soon as the device is given it.'}
          </EmptyNote>
        }
      />
      <CancelExecutionDialog execution={cancelling} onClose={() => setCancelling(undefined)} />
    </section>
  );
}
