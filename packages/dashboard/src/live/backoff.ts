const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** Wait before reconnect number `attempt` (0 is the first): doubles up to 15 s; half of it is random, so that many pages do not return at once. */
export function backoffMs(attempt: number, random: () => number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (full / 2) * random());
}
