import { JOB_ID_PATTERN } from '../api/jobs.ts';
import type { Json } from '../api/json.ts';
import { typedObject } from '../format/typed-json.ts';
import { targetTexts, type Target } from '../targets/target.ts';

/** What is typed to make a job; empty: not asked for. */
export interface JobForm {
  readonly id: string;
  readonly description: string;
  readonly chosen: readonly string[];
  /** Typed, and a target too. */
  readonly target: Target;
  readonly isContinuous: boolean;
  readonly document: string;
  readonly rate: 'all' | 'constant' | 'growing';
  readonly perMinute: string;
  readonly basePerMinute: string;
  readonly factor: string;
  readonly afterSucceeded: string;
  readonly abortPercent: string;
  readonly abortMinimum: string;
  readonly timeoutMinutes: string;
  readonly retries: string;
  /** As `<input type="datetime-local">` has them. */
  readonly startAt: string;
  readonly endAt: string;
  readonly endBehavior: string;
  readonly windowCron: string;
  readonly windowMinutes: string;
  readonly timeZone: string;
}

export const EMPTY_JOB: JobForm = {
  id: '',
  description: '',
  chosen: [],
  target: { kind: 'group', value: '' },
  isContinuous: false,
  document: '{\n  "operation": ""\n}',
  rate: 'all',
  perMinute: '1000',
  basePerMinute: '50',
  factor: '2',
  afterSucceeded: '50',
  abortPercent: '',
  abortMinimum: '20',
  timeoutMinutes: '',
  retries: '',
  startAt: '',
  endAt: '',
  endBehavior: 'STOP_ROLLOUT',
  windowCron: '',
  windowMinutes: '120',
  timeZone: '',
};

export type JobFaults = Partial<Record<keyof JobForm, string>>;

/** Those of the fields that are numbers. */
export type NumberField =
  | 'perMinute'
  | 'basePerMinute'
  | 'factor'
  | 'afterSucceeded'
  | 'abortPercent'
  | 'abortMinimum'
  | 'timeoutMinutes'
  | 'retries'
  | 'windowMinutes';

/** What is sent; or what is wrong, field by field. What only the server can judge is left to it. */
export function jobDraft(form: JobForm): { readonly draft: Json } | { readonly faults: JobFaults } {
  const document = typedObject(form.document);
  const targets = [...new Set([...form.chosen, ...targetTexts(form.target)])];
  const faults: JobFaults = {
    ...(!JOB_ID_PATTERN.test(form.id) && { id: '1 to 64 of A–Z a–z 0–9 _ -' }),
    ...(targets.length === 0 && { target: 'Which devices?' }),
    ...('fault' in document && { document: document.fault }),
    ...wrongNumbers(form),
    ...(form.endAt !== '' && timeOf(form.endAt) <= timeOf(form.startAt) && { endAt: 'It must end after it begins.' }),
  };
  if ('fault' in document || Object.keys(faults).length > 0) return { faults };
  const schedule = scheduleOf(form);
  return {
    draft: {
      id: form.id,
      targets,
      ...(form.isContinuous && { targetSelection: 'continuous' }),
      document: document.value,
      ...(form.description.trim() !== '' && { description: form.description.trim() }),
      ...(form.rate !== 'all' && { rollout: rolloutOf(form) }),
      ...(form.abortPercent !== '' && { abort: abortOf(form) }),
      ...(form.timeoutMinutes !== '' && { timeout: { inProgressMinutes: Number(form.timeoutMinutes) } }),
      ...(form.retries !== '' && { retry: { criteria: [{ failureType: 'ALL', numberOfRetries: Number(form.retries) }] } }),
      ...(Object.keys(schedule).length > 0 && { schedule }),
    },
  };
}

function rolloutOf(form: JobForm): Json {
  if (form.rate === 'constant') return { maximumPerMinute: Number(form.perMinute) };
  return {
    maximumPerMinute: Number(form.perMinute),
    exponential: {
      baseRatePerMinute: Number(form.basePerMinute),
      incrementFactor: Number(form.factor),
      rateIncreaseCriteria: { numberOfSucceededThings: Number(form.afterSucceeded) },
    },
  };
}

function abortOf(form: JobForm): Json {
  const rule = {
    failureType: 'ALL',
    action: 'CANCEL',
    thresholdPercentage: Number(form.abortPercent),
    minNumberOfExecutedThings: Number(form.abortMinimum),
  };
  return { criteria: [rule] };
}

function scheduleOf(form: JobForm): Json {
  return {
    ...(form.startAt !== '' && { startTime: timeOf(form.startAt) }),
    ...(form.endAt !== '' && { endTime: timeOf(form.endAt), endBehavior: form.endBehavior }),
    ...(form.windowCron.trim() !== '' && {
      maintenanceWindows: [{ startTime: form.windowCron.trim(), durationMinutes: Number(form.windowMinutes) }],
      ...(form.timeZone.trim() !== '' && { timeZone: form.timeZone.trim() }),
    }),
  };
}

/** Those of the numbers that are asked for and are none. */
function wrongNumbers(form: JobForm): JobFaults {
  const asked: readonly (readonly [name: NumberField, isAsked: boolean, low: number, high: number])[] = [
    ['perMinute', form.rate !== 'all', 1, 10_000_000],
    ['basePerMinute', form.rate === 'growing', 1, 10_000_000],
    ['factor', form.rate === 'growing', 1.1, 5],
    ['afterSucceeded', form.rate === 'growing', 1, Infinity],
    ['abortPercent', form.abortPercent !== '', 0.001, 100],
    ['abortMinimum', form.abortPercent !== '', 1, Infinity],
    ['timeoutMinutes', form.timeoutMinutes !== '', 1, 10_080],
    ['retries', form.retries !== '', 0, 10],
    ['windowMinutes', form.windowCron.trim() !== '', 1, 10_080],
  ];
  const faults: JobFaults = {};
  for (const [name, isAsked, low, high] of asked) {
    const text = form[name];
    const value = Number(text);
    if (!isAsked || (text !== '' && value >= low && value <= high)) continue;
    faults[name] =
      high === Infinity ? `At least ${low}` : `${low === 0.001 ? 'Above 0' : low} to ${high.toLocaleString('en-US')}`;
  }
  return faults;
}

/** Of an empty text the beginning of all time. */
function timeOf(localInput: string): number {
  return localInput === '' ? 0 : new Date(localInput).getTime();
}
