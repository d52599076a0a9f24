/** Times [fromMs, toMs). */
export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The same times, ascending, with gaps between. */
export function joinSpans(spans: readonly TimeSpan[]): TimeSpan[] {
  const joined: TimeSpan[] = [];
  for (const span of spans.filter(({ fromMs, toMs }) => fromMs < toMs).sort((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1);
    if (last !== undefined && span.fromMs <= last.toMs) {
      joined[joined.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, span.toMs) };
    } else joined.push(span);
  }
  return joined;
}

/** What of `spans` is in none of `without`; both as joinSpans gives them. */
export function subtractSpans(spans: readonly TimeSpan[], without: readonly TimeSpan[]): TimeSpan[] {
  const left: TimeSpan[] = [];
  let next = 0;
  for (const { fromMs, toMs } of spans) {
    let atMs = fromMs;
    while (next < without.length && without[next]!.toMs <= fromMs) next++;
    for (let i = next; i < without.length && without[i]!.fromMs < toMs; i++) {
      if (without[i]!.fromMs > atMs) left.push({ fromMs: atMs, toMs: without[i]!.fromMs });
      atMs = Math.max(atMs, without[i]!.toMs);
    }
    if (atMs < toMs) left.push({ fromMs: atMs, toMs });
  }
  return left;
}

/** What is in both. */
export function intersectSpans(spans: readonly TimeSpan[], others: readonly TimeSpan[]): TimeSpan[] {
  const both: TimeSpan[] = [];
  let next = 0;
  for (const { fromMs, toMs } of spans) {
    while (next < others.length && others[next]!.toMs <= fromMs) next++;
    for (let i = next; i < others.length && others[i]!.fromMs < toMs; i++) {
      both.push({ fromMs: Math.max(fromMs, others[i]!.fromMs), toMs: Math.min(toMs, others[i]!.toMs) });
    }
  }
  return both;
}
