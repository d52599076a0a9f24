import type { ArchiveRunJson, ArchiveStatusJson, BadObjectJson } from '@selsyn/platform/api/archive-schemas.ts';
import { printable } from './printable.ts';
import { counted, formatAge, formatBytes, formatDuration, formatTable } from './table.ts';

const STATES: Readonly<Record<string, string>> = {
  failing: 'failing, and tried again',
  misplaced: 'stopped: its objects are not where it is configured to be (archive.*)',
  'unknown-objects': 'stopped: there are objects that the manifest does not know (selsyn archive rebuild takes them over)',
  rebuilding: 'taking over objects that the manifest does not know',
};

/** While it is in one of these, what is due is not looked for. */
const STOPPED: ReadonlySet<ArchiveStatusJson['state']> = new Set(['misplaced', 'unknown-objects', 'rebuilding']);

/** How the archive gets on: for people. */
export function archiveText(status: ArchiveStatusJson, nowMs: number): string {
  const { state, place, objects, bytes, points, backlogHours, lagMs, openErasures, badObjects, rebuild, ...times } = status;
  const { lastStoredAtMs, lastError } = times;
  if (status.target === 'off') return 'no archive is configured (archive.target)';
  const perPoint = points === 0 ? '' : `, ${(bytes / points).toFixed(2)} bytes a point`;
  return [
    `${STATES[state] ?? state}, in ${place ?? ''}`,
    `${counted(objects, 'object')}, ${formatBytes(bytes)}, ${counted(points, 'point')}${perPoint}`,
    ...(backlogHours === 0 && STOPPED.has(state) ? [] : [backlogText({ backlogHours, lagMs })]),
    ...(rebuild === undefined ? [] : [rebuildText(rebuild, state === 'rebuilding')]),
    ...(badObjects === 0 ? [] : [`damaged or gone: ${counted(badObjects, 'object')} (selsyn archive bad)`]),
    ...(openErasures === 0 ? [] : [`being erased: ${counted(openErasures, 'device')} (selsyn erasures)`]),
    ...(lastStoredAtMs === undefined ? [] : [`stored last ${formatAge(nowMs - lastStoredAtMs)} ago`]),
    ...(lastError === undefined
      ? []
      : [`failed ${formatAge(nowMs - lastError.atMs)} ago: ${printable(lastError.message)} (${lastError.code})`]),
  ].join('\n');
}

function backlogText({ backlogHours, lagMs }: Pick<ArchiveStatusJson, 'backlogHours' | 'lagMs'>): string {
  if (backlogHours === 0) return 'all that is due is archived';
  return `${counted(backlogHours, 'hour')} to be archived, the oldest ended ${formatDuration(lagMs)} ago`;
}

function rebuildText({ found, adopted, outdated, left }: NonNullable<ArchiveStatusJson['rebuild']>, isUnderWay: boolean): string {
  if (found === 0) return isUnderWay ? 'rebuilding: looking for objects' : 'rebuilt: the manifest knew all objects';
  const rest = [
    ...(outdated > 0 ? [`${outdated} had their points in others`] : []),
    ...(left > 0 ? [`${left} cannot be read (see the log)`] : []),
  ];
  const taken = `${adopted.toLocaleString('en-US')} of ${counted(found, 'object')} taken over`;
  return [`${isUnderWay ? 'rebuilding, so far' : 'rebuilt'}: ${taken}`, ...rest].join(', ');
}

const FAULTS: Readonly<Record<string, string>> = { 'data.corrupt': 'damaged', 'archive.object-gone': 'gone' };

/** The objects that cannot be used, why, and the way out. */
export function badObjectsText(objects: readonly BadObjectJson[], nowMs: number): string {
  if (objects.length === 0) return 'no archived object is known to be damaged or gone';
  const rows = objects.map(({ id, key, points, bytes, code, message, sinceMs, nextTryMs }) => [
    String(id),
    printable(key),
    String(points),
    formatBytes(bytes),
    `${formatAge(nowMs - sinceMs)} ago`,
    nextTryMs <= nowMs ? 'now' : `in ${formatAge(nextTryMs - nowMs)}`,
    FAULTS[code] ?? `${printable(message)} (${code})`,
  ]);
  return [
    formatTable(['id', 'object', 'points', 'size', 'since', 'tried again', 'why'], rows),
    '',
    'Put the file back from a copy, then: selsyn archive run',
    'Or do without it, for good:         selsyn archive give-up ID --yes',
  ].join('\n');
}

/** What comes of it that somebody asked to archive now. @param status as it was when that began: what had stopped it may be over */
export function runText({ state }: Pick<ArchiveStatusJson, 'state'>): string {
  if (state === 'rebuilding') return `the archive is ${STATES[state]}, what is over comes after that: selsyn archive`;
  if (STOPPED.has(state)) return `the archive was ${STATES[state]}\nit is looked at again now: selsyn archive`;
  return 'the archive is being brought up to date: selsyn archive';
}

/** What had come and could not be stored when somebody asked to archive now. */
export function leftText({ because, waiting }: NonNullable<ArchiveRunJson['left']>): string {
  const why = {
    replaying: `the log of before the start is being read, ${waiting} messages are left`,
    behind: `messages come faster than they are stored, ${waiting} are in the log`,
    busy: `${waiting} points are in memory still`,
    failing: `the store cannot be written, ${waiting} points are in memory`,
  }[because];
  return `not all that has come is stored: ${why}; it is archived later`;
}
