import { Button, NativeSelect } from '@mantine/core';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchJobs, JOB_STATUSES } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { CreateJobDialog } from './create-job-dialog.tsx';
import { JOB_COLUMNS, JobRow } from './job-row.tsx';
import { isMoving, statusWords } from './job-words.ts';
import styles from './jobs.module.css';

const route = getRouteApi('/jobs');
/** A job of a million devices changes faster than anybody reads: it is looked at again, not followed. */
const RUNNING_REFETCH_MS = 2_500;
const REFETCH_MS = 15_000;

/** All jobs, the newest first, each with how its devices stand. */
export function JobsTab() {
  const { client } = useServices();
  const { may } = useWho();
  const { status = '' } = route.useSearch();
  const navigate = useNavigate();
  const [creating, setCreating] = useState(false);
  const query = status === '' ? {} : { status };
  const pages = usePages({
    key: ['jobs', 'list', status],
    fetch: (cursor, signal) => fetchJobs(client, query, cursor, signal),
    refetchEveryMs: (jobs) => (jobs.some(isMoving) ? RUNNING_REFETCH_MS : REFETCH_MS),
  });
  const mayWrite = may('jobs:write');
  return (
    <section aria-label="Jobs">
      <div className={styles.head}>
        <p>Each device of a job is given a document and says what came of it.</p>
        <NativeSelect
          aria-label="Which jobs"
          data={[{ value: '', label: 'All' }, ...JOB_STATUSES.map((value) => ({ value, label: statusWords(value) }))]}
          value={status}
          onChange={(event) => {
            const next = event.currentTarget.value;
            void navigate({ to: '/jobs', search: next === '' ? {} : { status: next }, replace: true });
          }}
        />
        {mayWrite && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setCreating(true)}>
            Create job
          </Button>
        )}
      </div>
      <PagedTable
        label="Jobs"
        columns={JOB_COLUMNS}
        pages={pages}
        row={(job) => <JobRow key={job.id} job={job} />}
        empty={
          <EmptyNote
            title={status === '' ? 'No job yet' : `No job is ${statusWords(status)}`}
            command={
              mayWrite && status === ''
                ? {
                    title: 'The same from a shell',
                    command: `npx selsyn job create update-1 --target group:/acme --document '{"operation":"reboot"}'`,
                  }
                : undefined
            }
          >
            A job reaches one device or a million, at once or at a rate, also those that are away, and shows which are through
            with it.
          </EmptyNote>
        }
      />
      <CreateJobDialog
        opened={creating}
        onClose={() => setCreating(false)}
        onCreated={(jobId) => void navigate({ to: '/jobs/$jobId', params: { jobId } })}
      />
    </section>
  );
}
