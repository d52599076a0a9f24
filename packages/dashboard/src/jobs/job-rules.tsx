import { NativeSelect, TextInput } from '@mantine/core';
import type { JobFaults, JobForm, NumberField } from './job-draft.ts';
import styles from './jobs.module.css';

const RATES = [
  { value: 'all', label: 'All at once' },
  { value: 'constant', label: 'At a constant rate' },
  { value: 'growing', label: 'At a rate that grows' },
];
const ENDS = [
  { value: 'STOP_ROLLOUT', label: 'What has been given goes on' },
  { value: 'CANCEL', label: 'What is not begun is cancelled' },
  { value: 'FORCE_CANCEL', label: 'All of it is cancelled' },
];

interface JobRulesProps {
  readonly form: JobForm;
  readonly faults: JobFaults;
  readonly onChange: (next: Partial<JobForm>) => void;
}

/** How a job goes out: its rate, what becomes of failures, and when. */
export function JobRules({ form, faults, onChange }: JobRulesProps) {
  const field = (name: 'timeZone' | 'startAt' | 'endAt' | 'windowCron') => ({
    value: form[name],
    error: faults[name],
    autoComplete: 'off',
    spellCheck: false,
    onChange: (event: { readonly currentTarget: { readonly value: string } }) => onChange({ [name]: event.currentTarget.value }),
  });
  const count = (name: NumberField) => ({
    value: form[name],
    error: faults[name],
    autoComplete: 'off',
    inputMode: 'decimal' as const, // else it is any text
    onChange: (event: { readonly currentTarget: { readonly value: string } }) =>
      onChange({ [name]: event.currentTarget.value.replace(/[^\d.]/g, '') }),
  });
  return (
    <>
      <details className={styles.more} open={form.rate !== 'all' || hasFault(faults, RATE_FIELDS)}>
        <summary>
          Rate <span>how many devices a minute</span>
        </summary>
        <div>
          <div className={styles.two}>
            <NativeSelect
              label="Devices are given it"
              data={RATES}
              value={form.rate}
              onChange={(event) => onChange({ rate: rateOf(event.currentTarget.value) })}
            />
            {form.rate !== 'all' && (
              <TextInput
                label={form.rate === 'growing' ? 'Devices a minute, at most' : 'Devices a minute'}
                {...count('perMinute')}
              />
            )}
          </div>
          {form.rate === 'growing' && (
            <div className={styles.three}>
              <TextInput label="Begins at, a minute" {...count('basePerMinute')} />
              <TextInput label="Grows by the factor" {...count('factor')} />
              <TextInput label="Each time so many succeed" {...count('afterSucceeded')} />
            </div>
          )}
        </div>
      </details>
      <details className={styles.more} open={hasFault(faults, FAILURE_FIELDS)}>
        <summary>
          Failures <span>timeout, retries, when to stop</span>
        </summary>
        <div>
          <div className={styles.two}>
            <TextInput label="Minutes a device may take" placeholder="no limit" {...count('timeoutMinutes')} />
            <TextInput label="Try again so many times" placeholder="0" {...count('retries')} />
            <TextInput label="Cancel the job when so many percent fail" placeholder="never" {...count('abortPercent')} />
            <TextInput
              label="But not before so many devices are through"
              disabled={form.abortPercent === ''}
              {...count('abortMinimum')}
            />
          </div>
        </div>
      </details>
      <details className={styles.more} open={hasFault(faults, TIME_FIELDS)}>
        <summary>
          Schedule <span>start, end, maintenance windows</span>
        </summary>
        <div>
          <div className={styles.two}>
            <TextInput type="datetime-local" label="Begins (your time)" description="Empty: at once." {...field('startAt')} />
            <TextInput
              type="datetime-local"
              label="Ends (your time)"
              description="Empty: when all are through."
              {...field('endAt')}
            />
          </div>
          {form.endAt !== '' && (
            <NativeSelect
              label="At the end"
              data={ENDS}
              value={form.endBehavior}
              onChange={(event) => onChange({ endBehavior: event.currentTarget.value })}
            />
          )}
          <TextInput
            label="Only from (cron, by the clocks of the device)"
            description="0 2 * * 1-5: at two in the night, Monday to Friday."
            placeholder="any time"
            {...field('windowCron')}
          />
          {form.windowCron !== '' && (
            <div className={styles.two}>
              <TextInput label="For so many minutes" {...count('windowMinutes')} />
              <TextInput label="Time zone of devices that name none" placeholder="UTC" {...field('timeZone')} />
            </div>
          )}
        </div>
      </details>
    </>
  );
}

const RATE_FIELDS = ['perMinute', 'basePerMinute', 'factor', 'afterSucceeded'] as const;
const FAILURE_FIELDS = ['abortPercent', 'abortMinimum', 'timeoutMinutes', 'retries'] as const;
const TIME_FIELDS = ['startAt', 'endAt', 'windowCron', 'windowMinutes', 'timeZone'] as const;

/** What is wrong must be seen: undefined leaves it to whoever opened it. */
function hasFault(faults: JobFaults, fields: readonly (keyof JobForm)[]): true | undefined {
  return fields.some((name) => faults[name] !== undefined) || undefined;
}

function rateOf(text: string): JobForm['rate'] {
  return text === 'constant' || text === 'growing' ? text : 'all';
}
