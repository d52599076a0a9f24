import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Selsyn } from '../harness/selsyn.ts';

const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 4);
const DEVICES = Array.from({ length: 8 }, (_, i) => `pump${i}`);
const FIELDS = ['shadow.reported.n', 'shadow.reported.tags', 'shadow.config.desired.mode'];

function json(method: string, body: unknown): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** Writes shadows, and declares and drops fields, until the server is gone. */
async function write(selsyn: Selsyn, worker: number): Promise<void> {
  try {
    for (let n = 0; ; n++) {
      const device = DEVICES[(n * 3 + worker) % DEVICES.length];
      if (n % 5 === 4) await selsyn.fetch(`/api/v1/devices/${device}/shadow`, { method: 'DELETE' });
      else if (n % 2 === 0)
        await selsyn.fetch(
          `/api/v1/devices/${device}/shadow`,
          json('PATCH', { reported: { n: n % 7, tags: ['a', `t${n % 3}`] } }),
        );
      else await selsyn.fetch(`/api/v1/devices/${device}/shadows/config`, json('PATCH', { desired: { mode: `m${n % 4}` } }));
      if (worker === 0 && n % 9 === 8) await selsyn.fetch('/api/v1/search/shadow-fields/shadow.reported.n', { method: 'DELETE' });
      if (worker === 0 && n % 9 === 8) await selsyn.fetch('/api/v1/search/shadow-fields/shadow.reported.n', json('PUT', {}));
    }
  } catch {
    // It was killed.
  }
}

interface Shadow {
  readonly reported?: { readonly n?: number; readonly tags?: readonly string[] };
  readonly desired?: { readonly mode?: string };
}

async function shadowOf(selsyn: Selsyn, path: string): Promise<Shadow> {
  const answer = await selsyn.fetch(`/api/v1/devices/${path}`);
  return answer.status === 404 ? {} : ((await answer.json()) as Shadow);
}

async function found(selsyn: Selsyn, filter: string): Promise<readonly string[]> {
  const page = await selsyn.get<{ items: { id: string }[] }>(`/api/v1/devices?limit=100&filter=${encodeURIComponent(filter)}`);
  return page.items.map(({ id }) => id).toSorted();
}

describe('what devices are found by in their shadows, when the server is killed with -9', () => {
  it(`is what stands in them, after each of ${ROUNDS} rounds`, async () => {
    await using selsyn = await Selsyn.start();
    for (const id of DEVICES) await selsyn.addDevice(id);
    for (let round = 0; round < ROUNDS; round++) {
      for (const field of FIELDS)
        expect((await selsyn.fetch(`/api/v1/search/shadow-fields/${field}`, json('PUT', {}))).status).toBe(200);
      const writing = [0, 1, 2].map(async (worker) => await write(selsyn, worker));
      await pause(400 + 250 * round);
      await selsyn.end('SIGKILL');
      await Promise.all(writing);
      await selsyn.restart();
      await selsyn.fetch('/api/v1/search/shadow-fields/shadow.reported.n', json('PUT', {}));
      const classic = new Map<string, Shadow>();
      const config = new Map<string, Shadow>();
      for (const id of DEVICES) {
        classic.set(id, await shadowOf(selsyn, `${id}/shadow`));
        config.set(id, await shadowOf(selsyn, `${id}/shadows/config`));
      }
      const having = (shadows: ReadonlyMap<string, Shadow>, holds: (shadow: Shadow) => boolean): readonly string[] =>
        DEVICES.filter((id) => holds(shadows.get(id) ?? {}));
      const expected = new Map<string, readonly string[]>();
      for (let n = 0; n < 7; n++)
        expected.set(
          `shadow.reported.n = ${n}`,
          having(classic, ({ reported }) => reported?.n === n),
        );
      for (const tag of ['a', 't0', 't1', 't2']) {
        expected.set(
          `shadow.reported.tags = "${tag}"`,
          having(classic, ({ reported }) => reported?.tags?.includes(tag) === true),
        );
      }
      for (let n = 0; n < 4; n++) {
        expected.set(
          `shadow.config.desired.mode = "m${n}"`,
          having(config, ({ desired }) => desired?.mode === `m${n}`),
        );
      }
      for (const [filter, devices] of expected) {
        await expect.poll(async () => await found(selsyn, filter), { message: filter }).toEqual(devices);
      }
    }
  });
});
