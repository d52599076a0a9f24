import type { BadObject } from '../api/archive.ts';
import type { KeptLevel, RetentionPolicy, StoredPolicy } from '../api/retention.ts';
import type { ArchiveForecast, Storage, StoredPart } from '../api/storage.ts';
import { formatBytes } from '../format/number-format.ts';
import type { Tone } from '../ui/badge.tsx';

type PartKey = keyof Storage['parts'];

/** The parts of what is stored, in the order of the table. */
export const PARTS: readonly { readonly key: PartKey; readonly label: string; readonly always?: boolean }[] = [
  { key: 'raw', label: 'Points (raw)', always: true },
  { key: 'hourly', label: 'Hours', always: true },
  { key: 'daily', label: 'Days', always: true },
  { key: 'archive', label: 'Archive on this disk', always: true },
  { key: 'archiveCache', label: 'Copies of archived objects' },
  { key: 'archiveElsewhere', label: 'Archive elsewhere: nothing of this disk' },
  { key: 'log', label: 'Log', always: true },
  { key: 'other', label: 'Database and all else', always: true },
  { key: 'future', label: 'Of raw: days to come' },
  { key: 'broken', label: 'Set aside: cannot be read' },
];

/** The parts of the bar; days to come are of raw, and not counted twice. */
export const BAR_PARTS: readonly { readonly keys: readonly PartKey[]; readonly label: string; readonly color: string }[] = [
  { keys: ['raw'], label: 'points', color: 'var(--series-1)' },
  { keys: ['hourly'], label: 'hours', color: 'var(--series-7)' },
  { keys: ['daily'], label: 'days', color: 'var(--series-3)' },
  { keys: ['archive', 'archiveCache'], label: 'archive', color: 'var(--series-2)' },
  { keys: ['log'], label: 'log', color: 'var(--series-5)' },
  { keys: ['other', 'broken'], label: 'database and all else', color: 'var(--series-6)' },
];

export function volumeWords(state: string): { readonly tone: Tone; readonly text: string; readonly note: string } {
  switch (state) {
    case 'ok':
      return { tone: 'good', text: 'enough', note: '' };
    case 'low':
      return { tone: 'warn', text: 'low', note: 'Less than twice the floor is free.' };
    case 'short':
      return {
        tone: 'bad',
        text: 'short',
        note: 'Less than the floor is free: the oldest raw telemetry is let go, a day at a time.',
      };
    default:
      return { tone: 'bad', text: state, note: 'Less than the floor is free: telemetry is refused.' };
  }
}

/** Which days a part is of. */
export function spanText({ from, to }: Pick<StoredPart, 'from' | 'to'>): string {
  if (from === undefined || to === undefined) return '';
  return from === to ? from : `${from} … ${to}`;
}

/** What the archive has and gets. */
export function archiveText({ bytes, bytesPerDay, onVolume }: ArchiveForecast): string {
  const where = onVolume ? 'on this disk' : 'elsewhere';
  return `The archive ${where} has ${formatBytes(bytes)} and gets ${formatBytes(bytesPerDay)} every day.`;
}

/** A number of days as people say it: `7 d`, `5 y`. */
export function daysText(days: number | null): string {
  if (days === null) return 'for ever';
  if (days >= 365 && Math.abs(days / 365.25 - Math.round(days / 365.25)) < 0.01) return `${Math.round(days / 365.25)} y`;
  return `${days} d`;
}

/** What a policy is about. */
export function conditionText({ deviceType, group, metric }: Pick<RetentionPolicy, 'deviceType' | 'group' | 'metric'>): string {
  const words = [
    ...(deviceType === undefined ? [] : [`type ${deviceType}`]),
    ...(group === undefined ? [] : [`in ${group}`]),
    ...(metric === undefined ? [] : [`metric ${metric}`]),
  ];
  return words.length === 0 ? 'everything else' : words.join(', ');
}

export const LEVEL_NAMES: Readonly<Record<KeptLevel, string>> = {
  raw: 'Points',
  hourly: 'Hours',
  daily: 'Days',
  archive: 'Archive',
};

/** A file of what level, in words. */
export function levelName(level: string): string {
  return Object.entries(LEVEL_NAMES).find(([key]) => key === level)?.[1] ?? level;
}

/** How long a level is kept by a policy, and really where finer points stay longer; nothing where it leaves it to others. */
export function keptText(
  { keepDays, effectiveDays }: Pick<StoredPolicy, 'keepDays' | 'effectiveDays'>,
  level: KeptLevel,
): string {
  const [days, really] = [keepDays[level], effectiveDays[level]];
  if (days === undefined) return '';
  return really === undefined || really === days ? daysText(days) : `${daysText(days)}, really ${daysText(really)}`;
}

const BLOCKED: Readonly<Record<string, string>> = {
  held: 'kept by a legal hold',
  'not-archived': 'waits for the archive',
  'hot-points': 'points have just come',
  'stale-hours': 'points have just come',
  'not-durable': 'points have just come',
  changed: 'points have just come',
  'finer-kept': 'finer points of these days go first',
  'no-room': 'no room to copy what stays',
  failed: 'it could not be done: the log says why',
};

/** Why something that is too old stays for now. */
export function blockedText(blocked: string): string {
  return BLOCKED[blocked] ?? blocked;
}

const LEFT: Readonly<Record<string, string>> = {
  replaying: 'the log of before the start is being read still',
  behind: 'messages come faster than they are stored',
  busy: 'there was too much to store it within a minute',
  failing: 'the store cannot be written, and tries again',
};

/** What of the memory was not stored when somebody asked to archive now. */
export function leftText(because: string): string {
  return `Not all that has come is stored yet: ${LEFT[because] ?? because}. It is archived later.`;
}

/** Why an archived object cannot be used. */
export function badObjectText({ code, message }: Pick<BadObject, 'code' | 'message'>): string {
  if (code === 'data.corrupt') return 'damaged: not what was archived';
  return code === 'archive.object-gone' ? 'gone' : `${message} (${code})`;
}
