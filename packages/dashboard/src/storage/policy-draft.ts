import { DEFAULT_POLICY, KEPT_LEVELS, type KeepDays, type KeptLevel, type RetentionPolicy } from '../api/retention.ts';

/** What is typed of a policy; days as text: empty as others have it, `for ever`, or a number. */
export interface PolicyForm {
  readonly name: string;
  readonly deviceType: string;
  readonly group: string;
  readonly metric: string;
  readonly days: Readonly<Record<KeptLevel, string>>;
}

export type PolicyFaults = { readonly [F in 'name' | 'deviceType' | KeptLevel]?: string };

const MOST_DAYS = 36_525;
const FOR_EVER = 'for ever';

export function formOf(policy: RetentionPolicy | undefined): PolicyForm {
  const text = (level: KeptLevel): string => {
    const days = policy?.keepDays[level];
    return days === undefined ? '' : days === null ? FOR_EVER : String(days);
  };
  return {
    name: policy?.name ?? '',
    deviceType: policy?.deviceType ?? '',
    group: policy?.group ?? '',
    metric: policy?.metric ?? '',
    days: { raw: text('raw'), hourly: text('hourly'), daily: text('daily'), archive: text('archive') },
  };
}

/** The policy, or what is not right yet. */
export function policyOf(form: PolicyForm): { readonly policy: RetentionPolicy } | { readonly faults: PolicyFaults } {
  const faults: { -readonly [F in keyof PolicyFaults]: PolicyFaults[F] } = {};
  const optional = (text: string): string | undefined => (text.trim() === '' ? undefined : text.trim());
  const [deviceType, group, metric] = [optional(form.deviceType), optional(form.group), optional(form.metric)];
  if (form.name === '') faults.name = 'It needs a name.';
  if (form.name !== DEFAULT_POLICY && [deviceType, group, metric].every((each) => each === undefined))
    faults.deviceType = 'A type, a group or a metric: one of them at least.';
  const keepDays: { [L in KeptLevel]?: number | null } = {};
  for (const level of KEPT_LEVELS) {
    const typed = readDays(form.days[level]);
    if (typed === 'fault') faults[level] = `1 to ${MOST_DAYS} days, or ${FOR_EVER}`;
    else if (typed !== undefined) keepDays[level] = typed;
  }
  if (Object.keys(keepDays).length === 0 && Object.keys(faults).length === 0) faults.raw = 'How long is something kept?';
  if (Object.keys(faults).length > 0) return { faults };
  return { policy: { name: form.name, deviceType, group, metric, keepDays: keepDays satisfies KeepDays } };
}

function readDays(text: string): number | null | undefined | 'fault' {
  const word = text.trim().toLowerCase();
  if (word === '') return undefined;
  if (word === FOR_EVER || word === 'forever') return null;
  const years = /^(\d+) ?y$/.exec(word);
  const days = years === null ? Number(word.replace(/ ?d$/, '')) : Math.round(Number(years[1]) * 365.25);
  return Number.isInteger(days) && days >= 1 && days <= MOST_DAYS ? days : 'fault';
}
