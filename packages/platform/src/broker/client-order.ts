import type { ClientPlace } from './inspection.ts';

/** By client id, then by namespace; UTF-16 code units, the same in every thread. */
export function compareClients(a: ClientPlace, b: ClientPlace): number {
  if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
  if (a.namespace === b.namespace) return 0;
  return a.namespace < b.namespace ? -1 : 1;
}

/**
 * The first `limit` places behind `after`, in order. O(n) where few of the candidates come before those found already, and never
 * worse than O(n · log limit) comparisons; no more than `limit` are held.
 */
export function firstClients<P extends ClientPlace>(
  candidates: Iterable<P>,
  options: { readonly after: ClientPlace | undefined; readonly limit: number },
): P[] {
  const { after, limit } = options;
  const first: P[] = [];
  for (const candidate of candidates) {
    if (after !== undefined && compareClients(candidate, after) <= 0) continue;
    const last = first.at(-1);
    if (first.length === limit && (last === undefined || compareClients(candidate, last) >= 0)) continue;
    first.splice(placeOf(candidate, first), 0, candidate);
    if (first.length > limit) first.pop();
  }
  return first;
}

function placeOf(candidate: ClientPlace, sorted: readonly ClientPlace[]): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareClients(sorted[middle] as ClientPlace, candidate) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
