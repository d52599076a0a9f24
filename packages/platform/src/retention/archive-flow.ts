import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { mayBeHeld } from './archive-expiry.ts';
import type { ExpirableObject } from './archive-gate.ts';
import { longer } from './kept-levels.ts';
import type { RetentionRules } from './retention-view.ts';
import { LEAST_OF_DAY, type Flow } from './storage-forecast.ts';

/** Days that the rate is taken of. */
const RATE_DAYS = 7;

/**
 * What is archived now, what comes every day, and when that goes again.
 *
 * A day brings what the days of the last week that are archived have, on average; before the first whole day, what today has.
 * An object goes as `planArchive` says: at its age, not before the raw points of its day, and not while it may be held.
 *
 * @param rawDays the longest that raw points are kept
 */
export function archiveFlow(
  objects: readonly ExpirableObject[],
  rules: RetentionRules,
  rawDays: number | null,
  nowMs: number,
): Flow {
  const keepDays: (number | null)[] = [];
  const classes = new Map<string | undefined, number>();
  const classOf = (deviceType: string | undefined): number => {
    let found = classes.get(deviceType);
    if (found === undefined) {
      const kept = longer(rules.order.archiveDaysOfType(deviceType), rawDays);
      found = keepDays.includes(kept) ? keepDays.indexOf(kept) : keepDays.push(kept) - 1;
      classes.set(deviceType, found);
    }
    return found;
  };
  let staying = 0;
  const going = new Map<number, number[]>();
  for (const object of objects) {
    const { day, deviceType, sizeBytes } = object;
    const index = classOf(deviceType);
    if (keepDays[index] === null || mayBeHeld(object, rules)) {
      staying += sizeBytes;
      continue;
    }
    const bytes = going.get(day + 1) ?? [];
    bytes[index] = (bytes[index] ?? 0) + sizeBytes;
    going.set(day + 1, bytes);
  }
  const { lately, days } = lastDays(objects, nowMs);
  const rateBytes = sum(lately);
  return {
    bytesPerDay: rateBytes / days,
    keepDays,
    shares: keepDays.map((_, index) =>
      rateBytes === 0 ? 0 : sum(lately.filter(({ deviceType }) => classOf(deviceType) === index)) / rateBytes,
    ),
    files: [
      // Of no class: it stays.
      { toDay: 0, bytes: [...keepDays.map(() => 0), staying] },
      ...[...going].map(([toDay, bytes]) => ({ toDay, bytes })),
    ],
  };
}

/** Objects that a rate is taken of, and of how many days they are: days between them that have none count. */
function lastDays(
  objects: readonly ExpirableObject[],
  nowMs: number,
): { readonly lately: readonly ExpirableObject[]; readonly days: number } {
  const today = Math.floor(nowMs / DAY_MS);
  const lately = objects.filter(({ day }) => day < today && day >= today - RATE_DAYS);
  if (lately.length === 0) {
    return { lately: objects.filter(({ day }) => day === today), days: Math.max(LEAST_OF_DAY, nowMs / DAY_MS - today) };
  }
  // The last days may still wait for the archive.
  const days = [...new Set(lately.map(({ day }) => day))].sort((a, b) => a - b);
  return { lately, days: days.at(-1)! - days[0]! + 1 };
}

function sum(objects: readonly ExpirableObject[]): number {
  return objects.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}
