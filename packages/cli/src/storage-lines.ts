import type { StorageJson } from '@selsyn/platform/api/storage-routes.ts';
import { formatBytes, formatDuration, formatTable } from './table.ts';

const STATES: Readonly<Record<string, string>> = {
  ok: 'there is room',
  low: 'it is near the floor of free space',
  short: 'it is below the floor: the oldest raw telemetry is let go',
  refusing: 'it is below the floor, and nothing more may go: telemetry is refused',
};

/** What takes how much, and where that leads: for people. */
export function storageText({ volume, levels, future, broken, log, other, forecast, atMs, ...archives }: StorageJson): string {
  const { archive, archiveElsewhere, archiveCache } = archives;
  const parts: readonly (readonly [name: string, part: StorageJson['log']])[] = [
    ['raw', levels.raw],
    ['hourly', levels.hourly],
    ['daily', levels.daily],
    ...(future.files > 0 ? [['of raw: the future', future] as const] : []),
    ['archive', archive],
    ...(archiveCache.files > 0 ? [['archive, copies', archiveCache] as const] : []),
    ['log', log],
    ...(broken.files > 0 ? [['broken, set aside', broken] as const] : []),
    ['other', other],
    ...(archiveElsewhere.files > 0 ? [['archive, elsewhere', archiveElsewhere] as const] : []),
  ];
  const rows = parts.map(([name, { bytes, files, from, to }]) => [
    name,
    formatBytes(bytes),
    String(files),
    from === undefined || to === undefined ? '' : `${from} to ${to}`,
  ]);
  return [
    formatTable(['what', 'size', 'files', 'days (UTC)'], rows),
    '',
    `${formatBytes(volume.freeBytes)} of ${formatBytes(volume.sizeBytes)} are free, the floor is ${formatBytes(volume.floorBytes)}: ${STATES[volume.state] ?? volume.state}`,
    ...forecastLines(forecast, atMs),
  ].join('\n');
}

function forecastLines(forecast: StorageJson['forecast'], atMs: number): string[] {
  const { bytesPerDay, rateOf, archive, points, floorAtMs, steadyBytes } = forecast;
  if (rateOf === undefined) return ['no whole day of telemetry has come lately: from one, what comes will be told'];
  const { raw, hourly, daily } = bytesPerDay;
  return [
    `as on ${rateOf}, every day brings ${formatBytes(raw)} raw, ${formatBytes(hourly)} hourly, ${formatBytes(daily)} daily`,
    ...(archive === undefined ? [] : [archiveLine(archive)]),
    '',
    formatTable(
      ['in', 'telemetry', ...(archive === undefined ? [] : ['archive']), 'free'],
      points.map(({ inDays, bytes, archiveBytes, freeBytes }) => [
        `${inDays} d`,
        formatBytes(bytes),
        ...(archive === undefined ? [] : [formatBytes(archiveBytes)]),
        freeBytes < 0 ? 'none' : formatBytes(freeBytes),
      ]),
    ),
    floorAtMs === undefined
      ? steadyBytes === undefined
        ? 'it grows, as some of it is kept for ever; the floor is not reached within ten years'
        : `in the end it takes ${formatBytes(steadyBytes)}`
      : `the floor of free space is reached in ${formatDuration(floorAtMs - atMs)}`,
  ];
}

function archiveLine({ bytes, bytesPerDay, onVolume }: NonNullable<StorageJson['forecast']['archive']>): string {
  const where = onVolume ? 'on this disk' : 'elsewhere, and takes nothing of this disk';
  return `the archive has ${formatBytes(bytes)}, and gets ${formatBytes(bytesPerDay)} every day: it is ${where}`;
}
