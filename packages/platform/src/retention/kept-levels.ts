import { SelsynError } from '../kernel/errors.ts';
import { DEFAULT_KEEP, LEVELS, type KeepDays, type KeptDays, type Level } from './retention-policy.ts';

/** Of two times that something is kept; null: for ever. */
export function longer(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

/** Coarser points are kept at least as long as finer ones, whatever the policies say: queries are answered from them. */
export function liftCoarser(kept: KeptDays): KeptDays {
  const hourly = longer(kept.hourly, kept.raw);
  return { ...kept, hourly, daily: longer(kept.daily, hourly) };
}

/** How long each level is really kept where nothing but a policy and `default` says something. */
export function effectiveDays(own: KeepDays, ofDefault: KeepDays): KeptDays {
  const said = Object.fromEntries(
    LEVELS.map((level) => [
      level,
      own[level] ?? (own[level] === null ? null : (ofDefault[level] ?? inherited(ofDefault, level))),
    ]),
  );
  return liftCoarser(said as Record<Level, number | null>); // one entry for each level
}

/**
 * Refuses a level that is shorter than a finer one in every case: it would be kept as long as the finer one, whatever was said.
 *
 * @param others what all other policies say, `default` among them
 * @throws SelsynError `request.invalid`
 */
export function checkLevels(own: KeepDays, others: readonly KeepDays[]): void {
  const coarser = ['hourly', 'daily'] as const;
  for (const level of coarser) {
    const days = own[level];
    if (days === undefined || days === null) continue;
    for (const finer of level === 'daily' ? (['hourly', 'raw'] as const) : (['raw'] as const)) {
      const least = own[finer] === undefined ? shortest(others, finer) : own[finer];
      if (least !== null && least <= days) continue;
      const kept = least === null ? 'for ever' : `${least} days`;
      throw new SelsynError(
        'request.invalid',
        `${level} cannot be kept ${days} days where ${finer} is kept ${kept}: coarser points stay at least as long as finer ones, so say ${finer} too, or keep ${level} longer`,
        { details: { field: 'keepDays', level, finer } },
      );
    }
  }
}

function inherited(ofDefault: KeepDays, level: Level): number | null {
  return ofDefault[level] === null ? null : DEFAULT_KEEP[level];
}

/** The shortest that any of them says; null: for ever. */
function shortest(policies: readonly KeepDays[], level: Level): number | null {
  const said = policies.flatMap((policy) => (policy[level] === undefined ? [] : [policy[level]]));
  return said.reduce(
    (a, b) => (a === null ? b : b === null ? a : Math.min(a, b)),
    said.length === 0 ? DEFAULT_KEEP[level] : null,
  );
}
