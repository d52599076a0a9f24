import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RawClient } from '../harness/mqtt-client.ts';
import { HeldMemory } from '../harness/held-memory.ts';
import { Selsyn } from '../harness/selsyn.ts';
import type { StormOrder, StormState } from './storm-orders.ts';

/** 15,000 in a long run: SELSYN_STORM_DEVICES. */
const DEVICES = Number(process.env['SELSYN_STORM_DEVICES'] ?? 1_500);
/** Until the last device is back; each tries again after 5 s at most, and gives an attempt 15 s. */
const RETURN_DEADLINE_MS = 60_000 + DEVICES * 10;

/** The devices, in a process of their own: the files of one are not enough for both ends. */
class Storm implements Disposable {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'storm-devices-child.ts'), { stdio: 'inherit' });

  order(order: StormOrder): void {
    this.#child.send(order);
  }

  async state(order: StormOrder = { kind: 'state' }): Promise<StormState> {
    const answer = new Promise<StormState>((resolve) => this.#child.once('message', (state: StormState) => resolve(state)));
    this.order(order);
    return await answer;
  }

  /** Waits until all is as wanted. @throws with the last state after the deadline. */
  async until(wanted: (state: StormState) => boolean): Promise<StormState> {
    const end = performance.now() + RETURN_DEADLINE_MS;
    for (;;) {
      const state = await this.state();
      if (wanted(state)) return state;
      if (performance.now() > end) throw new Error(`the devices are not there: ${JSON.stringify(state)}`);
      await pause(50);
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** One message to each device, all of them acknowledged. */
async function publishToAll(selsyn: Selsyn, text: string): Promise<void> {
  const publisher = await RawClient.connect({ port: selsyn.mqttPort, version: 5 });
  for (let from = 0; from < DEVICES; from += 100) {
    const codes = await Promise.all(
      Array.from(
        { length: Math.min(100, DEVICES - from) },
        async (_, n) => await publisher.publish(`storm/${from + n}`, text, { qos: 1 }),
      ),
    );
    expect(codes.every((code) => code === 0)).toBe(true);
  }
  await publisher.disconnect();
}

async function start(settings: readonly string[], nodeOptions: readonly string[] = []): Promise<Selsyn> {
  return await Selsyn.start({ nodeOptions, settings: ['access.mode=open', ...settings] });
}

describe(`${DEVICES} devices that reconnect at once`, () => {
  it(
    'are all back after a kill -9 and a restart, with their sessions and what was published meanwhile',
    async () => {
      using held = new HeldMemory();
      await using selsyn = await start(['gateway.threads=2'], held.nodeOptions);
      using storm = new Storm();
      storm.order({ kind: 'connect', port: selsyn.mqttPort, devices: DEVICES });
      await storm.until(({ online }) => online === DEVICES);
      await publishToAll(selsyn, 'before');
      await storm.until(({ messages }) => messages === DEVICES);

      for (let round = 0; round < 2; round += 1) {
        await storm.state({ kind: 'await-cut' });
        await selsyn.end('SIGKILL');
        await selsyn.restart();
        // Some are back, most are not: it waits for them.
        await publishToAll(selsyn, `round ${round}`);
        const back = await storm.until(({ online, messages }) => online === DEVICES && messages === DEVICES * (round + 2));
        expect([back.present, back.absent, back.refused]).toEqual([DEVICES, 0, 0]);
      }

      // Storms that only cut the connections leave no memory behind.
      const bytes: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        storm.order({ kind: 'leave' });
        await storm.until(({ online }) => online === 0);
        storm.order({ kind: 'connect', port: selsyn.mqttPort, devices: DEVICES });
        await storm.until(({ online }) => online === DEVICES);
        bytes.push(await held.bytes(selsyn.pid));
      }
      const [first = 0, , last = 0] = bytes;
      expect(last, `${bytes.join()} bytes`).toBeLessThan(first + 16_777_216);
    },
    RETURN_DEADLINE_MS * 4,
  );

  it(
    'are let in at a steady pace where one is set; the others are told Server busy, and come later',
    async () => {
      const perSec = Math.min(1_000, Math.ceil(DEVICES / 10));
      await using selsyn = await start(['gateway.threads=1', `mqtt.acceptPerSec=${perSec}`]);
      using storm = new Storm();
      storm.order({ kind: 'connect', port: selsyn.mqttPort, devices: DEVICES });
      await storm.until(({ online }) => online === DEVICES);
      await storm.state({ kind: 'await-cut' });
      await selsyn.end('SIGKILL');
      await selsyn.restart();
      const back = await storm.until(({ online }) => online === DEVICES);
      expect([back.present, back.absent, back.refused]).toEqual([DEVICES, 0, 0]);
      expect(back.busy).toBeGreaterThan(0);
      expect(back.acceptedBySecond).not.toEqual([]);
      // The burst of the bucket and a second's share at most, in any second; how soon refused ones ask again is theirs.
      expect(Math.max(...back.acceptedBySecond), back.acceptedBySecond.join()).toBeLessThanOrEqual(perSec * 2 + 10);
    },
    RETURN_DEADLINE_MS * 2,
  );
});
