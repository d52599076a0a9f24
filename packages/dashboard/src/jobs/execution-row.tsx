import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { fetchExecutionHistory, type Execution } from '../api/job-executions.ts';
import type { Json } from '../api/json.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatDuration } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { DetailRow } from '../ui/detail-row.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { StateTimes } from '../ui/state-times.tsx';
import { When } from '../ui/when.tsx';
import { causeWords, executionTone, isPending, statusWords } from './job-words.ts';
import styles from './jobs.module.css';

export const EXECUTION_COLUMNS = ['Status', 'The device said', 'Given', 'Took', ''] as const;

interface ExecutionRowProps {
  readonly execution: Execution;
  /** What tells the rows of the list apart: the other is known anyway. */
  readonly of: 'device' | 'job';
  /** Absent: it may not be cancelled. */
  readonly onCancel: ((execution: Execution) => void) | undefined;
}

/** A job on a device; opens to what has happened to it. */
export function ExecutionRow({ execution, of, onCancel }: ExecutionRowProps) {
  const { job, device, number, status, details, retryAttempt, queuedAtMs, startedAtMs, updatedAtMs, timesOutAtMs } = execution;
  const name = of === 'device' ? device : job;
  return (
    <DetailRow
      about={{ 'data-execution': name, 'data-status': status }}
      label={of === 'device' ? 'Device' : 'Job'}
      title={name}
      note={
        number > 1 || retryAttempt > 0 ? `number ${number}${retryAttempt > 0 ? `, attempt ${retryAttempt + 1}` : ''}` : undefined
      }
      columns={EXECUTION_COLUMNS.length + 1}
      details={() => <ExecutionDetails execution={execution} of={of} />}
    >
      <td data-label="Status">
        <span>
          <Badge tone={executionTone(status)}>{statusWords(status)}</Badge>
          {timesOutAtMs !== undefined && status === 'IN_PROGRESS' && (
            <small>
              times out <When timeMs={timesOutAtMs} />
            </small>
          )}
        </span>
      </td>
      <td data-label="It said">
        {Object.keys(details).length > 0 && <span className={styles.details}>{detailWords(details)}</span>}
      </td>
      <td data-label="Given">
        <When timeMs={queuedAtMs} />
      </td>
      <td data-label="Took">
        {startedAtMs === undefined || isPending(status) ? '–' : formatDuration(updatedAtMs - startedAtMs)}
      </td>
      <td className={styles.action}>
        {onCancel !== undefined && isPending(status) && (
          <Button variant="default" size="compact-xs" aria-label={`Cancel ${name}`} onClick={() => onCancel(execution)}>
            Cancel
          </Button>
        )}
      </td>
    </DetailRow>
  );
}

function ExecutionDetails({ execution, of }: Pick<ExecutionRowProps, 'execution' | 'of'>) {
  const { client } = useServices();
  const { job, device, number, version } = execution;
  const { data, error, refetch } = useQuery({
    queryKey: ['jobs', 'history', job, device, number, version],
    queryFn: ({ signal }) => fetchExecutionHistory(client, execution, signal),
    placeholderData: (before) => before,
  });
  return (
    <div className={styles.form}>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <p className={styles.how}>Loading…</p>}
      {data !== undefined && (
        <StateTimes
          label="What has happened"
          states={data.map((event) => ({
            key: String(event.version),
            label: statusWords(event.status),
            atMs: event.atMs,
            note: [causeWords(event.cause), detailWords(event.details)].filter((text) => text !== '').join(' · '),
          }))}
        />
      )}
      <p className={styles.how}>
        {of === 'device' ? (
          <Link to="/devices/$deviceId" params={{ deviceId: device }} search={{ tab: 'jobs' }}>
            All jobs of {device}
          </Link>
        ) : (
          <Link to="/jobs/$jobId" params={{ jobId: job }}>
            The job {job}
          </Link>
        )}{' '}
        · given {formatTime(execution.queuedAtMs)}
      </p>
    </div>
  );
}

/** `step: verify, percent: 40` */
function detailWords(details: Json): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(', ');
}
