import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 3);
const DEVICES = 1_200;
const RATE_PER_SEC = 400;
const AT_ONCE = 20;

interface Progress {
  readonly id: string;
  readonly state: string;
  readonly total: number;
  readonly done: number;
  readonly unchanged: number;
  readonly failed: number;
}

interface Shadow {
  readonly version: number;
  readonly effective: Readonly<Record<string, unknown>>;
}

describe('an update of many shadows, the server killed again and again', () => {
  it('changes each device once, and no device is left out', async () => {
    await using selsyn = await Selsyn.start();
    const ids = Array.from({ length: DEVICES }, (_, n) => `device-${n}`);
    await importDevices(selsyn, ids);
    const update = { target: 'group:/fleet', shadow: 'config', desired: { n: 1 }, ratePerSec: RATE_PER_SEC };
    const { id } = await send<Progress>(selsyn, 'POST', '/shadow-updates', update);
    const given = await send<{ update: Progress }>(selsyn, 'PUT', '/shadow-defaults', {
      target: 'group:/fleet',
      desired: { d: 1 },
    });
    const seen: number[] = [0];
    for (let round = 0; round < ROUNDS; round++) {
      await pause(200 + Math.random() * 400);
      // It is under way again, or done.
      const before = await eventually(async () => {
        const now = await progress(selsyn, id);
        return now.done > seen.at(-1)! || now.state === 'done' ? now : undefined;
      });
      seen.push(before.done);
      await selsyn.end('SIGKILL');
      await selsyn.restart();
      expect((await progress(selsyn, id)).done).toBeGreaterThanOrEqual(before.done);
    }
    await expect.poll(async () => (await progress(selsyn, id)).state).toBe('done');
    await expect.poll(async () => (await progress(selsyn, given.update.id)).state).toBe('done');
    const all = { state: 'done', total: DEVICES, done: DEVICES, unchanged: 0, failed: 0 };
    expect(await progress(selsyn, id)).toMatchObject(all);
    // Where the state heard of a device only after the default was set, the device has it by that.
    const defaults = await progress(selsyn, given.update.id);
    expect(defaults).toMatchObject({ total: DEVICES, done: DEVICES - defaults.unchanged, failed: 0 });
    expect(
      seen.some((done) => done > 0 && done < DEVICES),
      `killed while it ran: ${seen.join(' ')}`,
    ).toBe(true);
    for (let start = 0; start < DEVICES; start += AT_ONCE) {
      await Promise.all(
        ids.slice(start, start + AT_ONCE).map(async (device) => {
          const config = await selsyn.get<Shadow>(`/api/v1/devices/${device}/shadows/config`);
          expect([device, config.version, config.effective]).toEqual([device, 1, { n: 1 }]);
          const classic = await selsyn.get<Shadow>(`/api/v1/devices/${device}/shadow`);
          expect([device, classic.version, classic.effective]).toEqual([device, 1, { d: 1 }]);
        }),
      );
    }
  });
});

async function progress(selsyn: Selsyn, id: string): Promise<Progress> {
  return await selsyn.get<Progress>(`/api/v1/shadow-updates/${id}`);
}

async function send<T>(selsyn: Selsyn, method: string, path: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' };
  const answer = await selsyn.fetch(`/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function importDevices(selsyn: Selsyn, ids: readonly string[]): Promise<void> {
  const { id } = await send<{ id: string }>(selsyn, 'POST', '/device-imports', { format: 'csv' });
  const rows = await selsyn.fetch(`/api/v1/device-imports/${id}/rows?offset=0&last=true`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: `id,group\n${ids.map((device) => `${device},/fleet\n`).join('')}`,
  });
  expect(rows.status).toBe(200);
}
