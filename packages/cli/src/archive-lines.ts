import type { ArchiveRunJson, ArchiveStatusJson, BadObjectJson } from '@selsyn/platform/api/archive-routes.ts';
import { printable } from './printable.ts';
import { counted, formatAge, formatBytes, formatDuration, formatTable } from './table.ts';

const STATES: Readonly<Record<string, string>> = {
  'unknown-objects': 'stopped: there are objects that the manifest does not know (selsyn archive rebuild takes them over)',
  rebuilding: 'taking over objects that the manifest does not know',
};

/** How the archive gets on: for people. */
export function archiveText(status: ArchiveStatusJson, nowMs: number): string {
  const { state, place, objects, bytes, points, backlogHours, lagMs, openErasures, badObjects, rebuild, ...times } = status;
  const { lastStoredAtMs, lastError } = times;
  if (status.target === 'off') return 'no archive is configured (archive.target)';
  const perPoint = points === 0 ? '' : `, ${(bytes / points).toFixed(2)} bytes a point`;
  return [
    `${STATES[state] ?? state}, in ${place ?? ''}`,
    `${objects} objects, ${formatBytes(bytes)}, ${points} points${perPoint}`,
    backlogHours === 0
      ? 'all that is due is archived'
      : `${backlogHours} hours to be archived, the oldest ended ${formatDuration(lagMs)} ago`,
    ...(rebuild === undefined ? [] : [rebuildText(rebuild)]),
    ...(badObjects === 0 ? [] : [`${counted(badObjects, 'object')} cannot be used, and left as they are: selsyn archive bad`]),
    ...(openErasures === 0 ? [] : [`${openErasures} devices are being erased`]),
    ...(lastStoredAtMs === undefined ? [] : [`stored last ${formatAge(nowMs - lastStoredAtMs)} ago`]),
    ...(lastError === undefined
      ? []
      : [`failed ${formatAge(nowMs - lastError.atMs)} ago: ${printable(lastError.message)} (${lastError.code})`]),
  ].join('\n');
}

function rebuildText({ found, adopted, outdated, left }: NonNullable<ArchiveStatusJson['rebuild']>): string {
  const rest = [
    ...(outdated > 0 ? [`${outdated} had their points in others`] : []),
    ...(left > 0 ? [`${left} cannot be read (see the log)`] : []),
  ];
  return `rebuilt: of ${found} objects ${adopted} were taken over${rest.map((part) => `, ${part}`).join('')}`;
}

/** The objects that cannot be used, why, and the way out. */
export function badObjectsText(objects: readonly BadObjectJson[], nowMs: number): string {
  if (objects.length === 0) return 'all archived objects that were used are what was archived';
  const rows = objects.map(({ id, key, points, bytes, code, sinceMs, nextTryMs }) => [
    String(id),
    printable(key),
    String(points),
    formatBytes(bytes),
    `${formatAge(nowMs - sinceMs)} ago`,
    `in ${formatAge(nextTryMs - nowMs)}`,
    code,
  ]);
  return [
    formatTable(['id', 'object', 'points', 'size', 'since', 'tried again', 'why'], rows),
    '',
    'put their bytes back from a copy and say selsyn archive run, or selsyn archive give-up ID --yes',
  ].join('\n');
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
