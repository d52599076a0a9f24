import type { ClientTakeovers } from './inspection.ts';

/** Clients that are kept count of; the one that was taken over longest ago is forgotten first. */
const MAX_CLIENTS = 10_000;
const WINDOW_MS = 86_400_000;

interface Counted {
  readonly clientId: string;
  readonly principalId: string;
  firstAtMs: number;
  lastAtMs: number;
  count: number;
}

/**
 * How often connections were ended because another came with the same client id: a device that comes back takes over its own, now and
 * then; two that fight for one id do so all the time.
 */
export class Takeovers {
  readonly #clients = new Map<string, Counted>();

  add(
    {
      key,
      clientId,
      principal,
    }: { readonly key: string; readonly clientId: string; readonly principal: { readonly id: string } },
    atMs: number,
  ): void {
    let counted = this.#clients.get(key);
    if (counted !== undefined) this.#clients.delete(key);
    if (counted === undefined || atMs - counted.lastAtMs > WINDOW_MS)
      counted = { clientId, principalId: principal.id, firstAtMs: atMs, lastAtMs: atMs, count: 0 };
    counted.count++;
    counted.lastAtMs = atMs;
    if (this.#clients.size >= MAX_CLIENTS) {
      const oldest = this.#clients.keys().next();
      if (oldest.done !== true) this.#clients.delete(oldest.value);
    }
    this.#clients.set(key, counted);
  }

  /** Those that were taken over so often, and last no longer than a day ago. */
  atLeast(count: number, nowMs: number): readonly ClientTakeovers[] {
    return [...this.#clients.values()]
      .filter((counted) => counted.count >= count && nowMs - counted.lastAtMs <= WINDOW_MS)
      .map((counted) => ({ ...counted }));
  }
}
