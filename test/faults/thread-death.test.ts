import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RawClient } from '../harness/mqtt-client.ts';
import { eventually } from '../harness/selsyn.ts';
import { PERSISTENT, Threads } from '../harness/threads.ts';

/** The server, with one gateway thread that ends when it is told to. */
async function startDying(way: string): Promise<Threads & { end(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-dying-'));
  const file = join(folder, 'now');
  const variables = {
    NODE_OPTIONS: `--import ${join(import.meta.dirname, 'dying-thread.ts')}`,
    DYING_THREAD_FILE: file,
    DYING_THREAD_WAY: way,
  };
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    const threads = await Threads.start(3);
    return Object.assign(threads, { end: () => writeFileSync(file, '') });
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
}

async function gone(pid: number, deadlineMs: number): Promise<boolean> {
  for (const end = performance.now() + deadlineMs; performance.now() < end; await pause(20)) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
  }
  return false;
}

describe('a gateway thread that ends', () => {
  for (const { way, says } of [
    { way: 'throw', says: 'this thread was told to fail' },
    { way: 'exit', says: 'gateway-1 has ended with code 7' },
  ]) {
    it(`ends the server, which says why, and leaves nobody waiting (${way})`, async () => {
      await using threads = await startDying(way);
      const publisher = await threads.connect('publisher');
      const clients: RawClient[] = [publisher];
      const heard = threads.all.map(() => new Set<string>());
      const connect = async (thread: number): Promise<RawClient> =>
        await threads.connect(threads.nameAt(thread, 'client-'), {
          connect: PERSISTENT,
          onPacket: (packet) => void (packet.type === 'publish' && heard[thread]?.add(packet.text)),
        });
      for (const thread of threads.all) {
        const client = await connect(thread);
        await client.subscribe([{ filter: 'x/#', qos: 1 }]);
        clients.push(client);
      }
      const acknowledged: string[] = [];
      const publishing = (async () => {
        for (let n = 0; publisher.isOpen; n += 1) {
          if ((await publisher.publish('x/y', `${n}`, { qos: 1 }).catch(() => 0x80)) === 0) acknowledged.push(`${n}`);
        }
      })();
      await pause(100);
      const { pid } = threads.selsyn;
      threads.end();
      const started = performance.now();
      await Promise.all([publishing, ...clients.map(async ({ closed }) => await closed)]);
      expect(await gone(pid, 30_000)).toBe(true);
      expect(await threads.selsyn.end('SIGKILL')).toBe(1);
      // Sooner than a thread is given to stop, which this one cannot.
      expect(performance.now() - started).toBeLessThan(20_000);
      expect(threads.selsyn.said).toContain('stops because of a fault');
      expect(threads.selsyn.said).toContain(says);

      await threads.selsyn.restart();
      for (const thread of threads.all) await connect(thread);
      expect(acknowledged.length).toBeGreaterThan(0);
      await eventually(async () => (heard.every((texts) => acknowledged.every((text) => texts.has(text))) ? true : undefined));
    });
  }
});
