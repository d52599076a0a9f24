import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../harness/mqtt-client.ts';
import { Mosquitto } from '../harness/mosquitto.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { DIFFERENCES } from './differences.ts';
import { Subject } from './subject.ts';

describe('where Selsyn and mosquitto differ', () => {
  let selsyn: Selsyn;
  let mosquitto: Mosquitto | undefined;

  beforeAll(async () => {
    mosquitto = await Mosquitto.start(['allow_duplicate_messages true']);
    selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=2'] });
  });
  afterAll(async () => {
    await mosquitto?.[Symbol.asyncDispose]();
    await selsyn[Symbol.asyncDispose]();
  });

  for (const [index, { name, clause, steps, seenBy, ...seen }] of DIFFERENCES.entries()) {
    it(`${name} (${clause})`, async ({ skip }) => {
      if (mosquitto === undefined) return skip('mosquitto is not installed');
      const servers = [
        { name: 'selsyn', port: selsyn.mqttPort },
        { name: 'mosquitto', port: mosquitto.port },
      ] as const;
      for (const server of servers) {
        // As it is sent, without taking copies together.
        await using subject = new Subject({ ...server, sendsCopies: false }, `difference-${index}`);
        await subject.open();
        for (const [number, step] of steps.entries()) await subject.apply(step, `message ${number}`);
        await eventually(
          async () => (seen[server.name].test(subject.observed().get(seenBy) ?? '') ? true : undefined),
          5_000,
        ).catch(() => expect(subject.observed().get(seenBy), server.name).toMatch(seen[server.name]));
      }
    });
  }

  it('who is taken over by a client of 3.1.1 is told so; mosquitto closes without a word ([MQTT-3.1.4-3])', async ({ skip }) => {
    if (mosquitto === undefined) return skip('mosquitto is not installed');
    const told: (number | undefined)[] = [];
    for (const port of [selsyn.mqttPort, mosquitto.port]) {
      using old = await RawClient.connect({ port, version: 5, connect: { clientId: 'taken-over' } });
      using _new = await RawClient.connect({ port, version: 4, connect: { clientId: 'taken-over' } });
      await old.closed;
      told.push(old.disconnected?.reasonCode);
    }
    expect(told).toEqual([0x8e, undefined]);
  });
});
