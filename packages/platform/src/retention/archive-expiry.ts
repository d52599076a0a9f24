import type { HoldInForce } from '../registry/held-devices.ts';
import type { ArchiveExpiry, ExpirableObject } from './archive-gate.ts';
import { dateOf, isOver } from './planner.ts';
import type { PlannedStep } from './retention-plan.ts';
import type { RetentionRules } from './retention-view.ts';

/**
 * Objects of the archive that are too old. An object has many devices and all their metrics, and goes as a whole: it is kept
 * for as long as any policy that can be about devices of its type says, and while a hold may cover one of its devices.
 *
 * @param storedDays days of which there is a day file still: what of it is archived is read from the archive, and would be archived
 *   again, so it stays
 */
export function planArchive(
  expiry: ArchiveExpiry,
  rules: RetentionRules,
  nowMs: number,
  storedDays: ReadonlySet<number>,
): readonly PlannedStep[] {
  return due(expiry, rules, nowMs).map(({ key, day, sizeBytes, held }) => ({
    level: 'archive',
    file: key,
    from: dateOf(day),
    to: dateOf(day),
    action: 'drop',
    sizeBytes,
    freesBytes: sizeBytes,
    ...(held ? { blocked: 'held' } : storedDays.has(day) ? { blocked: 'finer-kept' } : {}),
  }));
}

/** Removes them. Throws what the archive throws: what is removed by then is counted by the next pass as gone. */
export async function expireArchive(
  expiry: ArchiveExpiry,
  rules: RetentionRules,
  nowMs: number,
  storedDays: ReadonlySet<number>,
): Promise<{ readonly files: number; readonly freedBytes: number }> {
  const going = due(expiry, rules, nowMs).filter(({ held, day }) => !held && !storedDays.has(day));
  await expiry.remove(going.map(({ id }) => id));
  return { files: going.length, freedBytes: going.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

function due(
  expiry: ArchiveExpiry,
  rules: RetentionRules,
  nowMs: number,
): readonly (ExpirableObject & { readonly held: boolean })[] {
  return expiry
    .objects()
    .filter(({ day, deviceType }) => isOver(day + 1, rules.order.archiveDaysOfType(deviceType), nowMs))
    .map((object) => ({ ...object, held: mayBeHeld(object, rules) }));
}

/** Whether a device that it may have points of is held. */
export function mayBeHeld(
  { deviceType, firstDevice, lastDevice }: Pick<ExpirableObject, 'deviceType' | 'firstDevice' | 'lastDevice'>,
  { holds, heldDevices }: Pick<RetentionRules, 'holds' | 'heldDevices'>,
): boolean {
  const isWithin = (device: string): boolean => firstDevice <= device && device <= lastDevice;
  const mayCover = ({ kind, target }: HoldInForce): boolean =>
    kind === 'group' || (kind === 'type' ? target === deviceType : isWithin(target));
  return holds.some(mayCover) || [...heldDevices].some(isWithin);
}
