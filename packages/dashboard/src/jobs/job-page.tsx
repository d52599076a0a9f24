import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchJob, type Job } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { Badge } from '../ui/badge.tsx';
import { Icon } from '../ui/icons.tsx';
import { JsonBlock } from '../ui/json-block.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { StackedBar } from '../ui/stacked-bar.tsx';
import { CancelJobDialog } from './cancel-job-dialog.tsx';
import { JobCountsBar } from './job-counts-bar.tsx';
import { JobExecutions } from './job-executions.tsx';
import { JobFacts } from './job-facts.tsx';
import { countParts, devicesOf, isMoving, jobTone, reasonWords, statusWords } from './job-words.ts';
import styles from './jobs.module.css';
import { RemoveJobDialog } from './remove-job-dialog.tsx';

const route = getRouteApi('/jobs/$jobId');
const RUNNING_REFETCH_MS = 2_000;
const REFETCH_MS = 15_000;

/** One job: how its devices stand, how it goes out, and each of its executions. */
export function JobPage() {
  const { client } = useServices();
  const { may } = useWho();
  const { jobId } = route.useParams();
  const { status = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const [dialog, setDialog] = useState<'cancel' | 'remove'>();
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['jobs', 'one', jobId],
    queryFn: ({ signal }) => fetchJob(client, jobId, signal),
    refetchInterval: ({ state }) => (state.data !== undefined && isMoving(state.data) ? RUNNING_REFETCH_MS : REFETCH_MS),
  });
  const mayWrite = data !== undefined && may('jobs:write', data.group) && data.status !== 'DELETION_IN_PROGRESS';
  return (
    <>
      <div className={styles.pageHead}>
        <Link to="/jobs" className={styles.back} aria-label="All jobs">
          <Icon name="back" />
        </Link>
        <div className={styles.title}>
          <h1>{jobId}</h1>
          {data?.description !== undefined && <span>{data.description}</span>}
        </div>
        {data !== undefined && (
          <span data-testid="job-status" data-status={data.status}>
            <Badge tone={jobTone(data.status)}>{statusWords(data.status)}</Badge>
          </span>
        )}
        {mayWrite && (data.status === 'IN_PROGRESS' || data.status === 'SCHEDULED') && (
          <Button size="xs" variant="default" leftSection={<Icon name="stop" size={12} />} onClick={() => setDialog('cancel')}>
            Cancel…
          </Button>
        )}
        {mayWrite && (
          <Button size="xs" variant="default" leftSection={<Icon name="trash" size={13} />} onClick={() => setDialog('remove')}>
            Delete…
          </Button>
        )}
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isPending && <p className={styles.how}>Loading…</p>}
      {data !== undefined && error === null && (
        <div className={styles.body}>
          <section className={styles.panel} aria-label="Progress">
            <p className={styles.how} role="status" data-testid="job-progress">
              {progressWords(data)}
            </p>
            <StackedBar label="Devices" parts={countParts(data.counts)} total={devicesOf(data)} />
            <JobCountsBar
              counts={data.counts}
              selected={status}
              onSelect={(next) => void navigate({ search: next === '' ? {} : { status: next }, replace: true })}
            />
          </section>
          <section className={styles.panel} aria-label="About">
            <JobFacts job={data} />
            {data.document !== undefined && (
              <details className={styles.document} open={Object.keys(data.document).length <= 8}>
                <summary>Document</summary>
                <JsonBlock label="Document" value={data.document} />
              </details>
            )}
          </section>
          <JobExecutions job={data} status={status} />
        </div>
      )}
      <CancelJobDialog job={data} opened={dialog === 'cancel'} onClose={() => setDialog(undefined)} />
      <RemoveJobDialog
        job={data}
        opened={dialog === 'remove'}
        onClose={() => setDialog(undefined)}
        onRemoved={() => void navigate({ to: '/jobs' })}
      />
    </>
  );
}

function progressWords(job: Job): string {
  const { progress, status, reason } = job;
  const total = devicesOf(job);
  const through = `${formatCount(progress.finished)} of ${formatCount(total)} ${total === 1 ? 'device is' : 'devices are'} through`;
  const parts = [
    progress.expanding ? `${through}; its devices are still being found` : through,
    progress.waiting > 0 && `${formatCount(progress.waiting)} wait for their turn`,
    status === 'IN_PROGRESS' && progress.ratePerMinute !== undefined && `${formatCount(progress.ratePerMinute)} a minute`,
    status === 'CANCELED' && reason !== undefined && `cancelled: ${reasonWords(reason)}`,
  ];
  return `${parts.filter((part) => part !== false).join(' · ')}.`;
}
