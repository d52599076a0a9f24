import type { Resolution } from '../api/telemetry.ts';
import { formatTime } from '../format/age.ts';

/** What charts were made of, and from when on there are points. */
export function resolutionWords(resolution: Resolution, pointsFromMs: number | undefined, toMs: number): string {
  const made = {
    raw: 'Drawn of points',
    '1h': 'Drawn of hours, with the lowest and highest of each',
    '1d': 'Drawn of days, with the lowest and highest of each',
  }[resolution];
  if (pointsFromMs === undefined) return `${made}.`;
  if (pointsFromMs >= toMs) return 'The points of this time were let go: drawn of hours, or of days where these are gone too.';
  const gone = `Points before ${formatTime(pointsFromMs)} were let go`;
  return resolution === 'raw' ? `${made}. ${gone}: drawn of hours or days there.` : `${made}. ${gone}.`;
}
