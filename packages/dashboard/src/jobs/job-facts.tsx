import type { Job } from '../api/jobs.ts';
import type { Json } from '../api/json.ts';
import { formatTime } from '../format/age.ts';
import { targetWords } from '../targets/target.ts';
import { Fact, Facts } from '../ui/facts.tsx';
import { abortWords, endWords, retryWords, rolloutWords, windowWords } from './rule-words.ts';

const SHOWN_TARGETS = 12;

/** What was asked for when a job was made. */
export function JobFacts({ job }: { readonly job: Job }) {
  const { targets, schedule = {}, timeout } = job;
  const [startTimeMs, endTimeMs] = [timeIn(schedule, 'startTimeMs'), timeIn(schedule, 'endTimeMs')];
  const minutes = timeout?.['inProgressMinutes'];
  return (
    <Facts>
      <Fact name="Targets">
        {targets.slice(0, SHOWN_TARGETS).map(targetWords).join(', ')}
        {targets.length > SHOWN_TARGETS && ` and ${targets.length - SHOWN_TARGETS} more`}
      </Fact>
      <Fact name="Selection">
        {job.isContinuous ? 'continuous: also devices that join later' : 'snapshot: devices that were there'}
      </Fact>
      {job.group !== '/' && <Fact name="Group">{job.group}</Fact>}
      <Fact name="Rate">{rolloutWords(job.rollout)}</Fact>
      {typeof minutes === 'number' && <Fact name="Timeout">{minutes} min</Fact>}
      {job.retry !== undefined && <Fact name="Tried again">{retryWords(job.retry)}</Fact>}
      {job.abort !== undefined && <Fact name="Cancels itself">{abortWords(job.abort)}</Fact>}
      {startTimeMs !== undefined && <Fact name="Begins">{formatTime(startTimeMs)}</Fact>}
      {endTimeMs !== undefined && (
        <Fact name="Ends">
          {formatTime(endTimeMs)}, {endWords(schedule)}
        </Fact>
      )}
      {windowWords(schedule).length > 0 && <Fact name="Only in">{windowWords(schedule).join('; ')}</Fact>}
      <Fact name="Created">{formatTime(job.createdAtMs)}</Fact>
      {job.completedAtMs !== undefined && <Fact name="Ended">{formatTime(job.completedAtMs)}</Fact>}
    </Facts>
  );
}

function timeIn(schedule: Json, field: string): number | undefined {
  const time = schedule[field];
  return typeof time === 'number' ? time : undefined;
}
