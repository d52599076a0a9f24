import { Link } from '@tanstack/react-router';
import type { Job } from '../api/jobs.ts';
import { formatCount } from '../format/number-format.ts';
import { targetWords } from '../targets/target.ts';
import { Badge } from '../ui/badge.tsx';
import { StackedBar } from '../ui/stacked-bar.tsx';
import { When } from '../ui/when.tsx';
import { countParts, devicesOf, failuresOf, jobTone, reasonWords, statusWords } from './job-words.ts';
import styles from './jobs.module.css';

export const JOB_COLUMNS = ['Job', 'State', 'Devices', 'Targets', 'Created'] as const;
const SHOWN_TARGETS = 2;

export function JobRow({ job }: { readonly job: Job }) {
  const { id, description, status, targets, isContinuous, reason, createdAtMs } = job;
  return (
    <tr data-job={id} data-status={status}>
      <td data-label="Job">
        <span>
          <Link to="/jobs/$jobId" params={{ jobId: id }}>
            {id}
          </Link>
          {description !== undefined && <small>{description}</small>}
        </span>
      </td>
      <td data-label="State">
        <span>
          <Badge tone={jobTone(status)}>{statusWords(status)}</Badge>
          {reason !== undefined && <small>{reasonWords(reason)}</small>}
        </span>
      </td>
      <td data-label="Devices" className={styles.progress}>
        <JobProgress job={job} />
      </td>
      <td data-label="Targets">
        <span className={styles.targets}>
          {targets.slice(0, SHOWN_TARGETS).map(targetWords).join(', ')}
          {targets.length > SHOWN_TARGETS && ` and ${formatCount(targets.length - SHOWN_TARGETS)} more`}
          {isContinuous && <small>and whoever joins</small>}
        </span>
      </td>
      <td data-label="Created">
        <When timeMs={createdAtMs} />
      </td>
    </tr>
  );
}

function JobAmount({ job, total }: { readonly job: Job; readonly total: number }) {
  const { progress, schedule, status } = job;
  const startTimeMs = schedule?.['startTimeMs'];
  const through = `${formatCount(progress.finished)} of ${formatCount(total)} through`;
  if (total > 0) return progress.expanding ? `${through}, more are being found` : through;
  if (status === 'SCHEDULED' && typeof startTimeMs === 'number') {
    return (
      <>
        begins <When timeMs={startTimeMs} />
      </>
    );
  }
  return progress.expanding ? 'its devices are being found' : 'no device yet';
}

function JobProgress({ job }: { readonly job: Job }) {
  const { counts } = job;
  const total = devicesOf(job);
  const failed = failuresOf(counts);
  return (
    <span>
      <StackedBar label={`Devices of ${job.id}`} parts={countParts(counts)} total={total} />
      <small>
        <JobAmount job={job} total={total} />
        {failed > 0 && `, ${formatCount(failed)} failed`}
      </small>
    </span>
  );
}
