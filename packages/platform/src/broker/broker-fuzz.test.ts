import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket } from '@selsyn/wire/mqtt/packets.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectOf, openTestBroker, publishOf, settled, subscribeOf, TestClient } from './broker.fixture.ts';

/** More in a long run. */
const RUNS = Number(process.env['SELSYN_FUZZ_ITERATIONS'] ?? 300);

const topic = fc.constantFrom('a', 'a/b', 'telemetry/d', 'secret', '$x');
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const packetId = fc.integer({ min: 1, max: 4 });
const packet: fc.Arbitrary<OutgoingPacket> = fc.oneof(
  fc
    .record({ topic, qos, packetId, retain: fc.boolean(), empty: fc.boolean() })
    .map(({ empty, ...options }) =>
      publishOf(options.topic, empty ? '' : 'x', { ...options, packetId: options.qos === 0 ? 0 : options.packetId }),
    ),
  fc.record({ type: fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp'), packetId, reasonCode: fc.constant(0) }),
  fc
    .record({ filter: fc.constantFrom('a', '#', '+/b', 'secret', '$share/g/a'), qos, handling: fc.constantFrom(0, 1, 2) })
    .map(({ filter, qos: at, handling }) => subscribeOf(filter, at, { retainHandling: handling })),
  fc.constantFrom('a', '#').map((filter): OutgoingPacket => ({ type: 'unsubscribe', packetId: 1, filters: [filter] })),
  fc.constant<OutgoingPacket>({ type: 'pingreq' }),
);
const damage = fc.option(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), { freq: 2, nil: undefined });

const LEVEL_AT = 8;

describe('a broker', () => {
  it('survives whatever a client sends, answers it, and keeps nothing of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(4 as const, 5 as const),
        fc.array(packet, { maxLength: 12 }),
        damage,
        fc.array(fc.nat(), { maxLength: 4 }),
        fc.array(fc.constantFrom('settle', 'reject', 'tick'), { maxLength: 4 }),
        async (version, packets, hit, cuts, events) => {
          const { broker, intake, clock, connect } = openTestBroker({ limits: { maxQueuedMessages: 5, maxInFlight: 2 } });
          const witness = await connect(5, { clientId: 'witness' });
          const client = new TestClient(broker, version);
          const bytes = Buffer.concat([connectOf(version), ...packets].map((one) => encodePacket(one, version)));
          // With another protocol level the answer would be in another version than the client's.
          if (hit !== undefined && hit.at % bytes.length !== LEVEL_AT) bytes[hit.at % bytes.length] = hit.byte;
          const ends = [...cuts.map((cut) => cut % bytes.length), bytes.length].toSorted((x, y) => x - y);
          let from = 0;
          for (const [i, end] of ends.entries()) {
            client.sendBytes(bytes.subarray(from, end));
            from = end;
            await settled();
            if (events[i] === 'settle') intake.settle();
            else if (events[i] === 'reject') intake.reject('log.full');
            else clock.advance(1_500);
          }
          intake.settle();
          // What it is sent can be decoded by a client.
          await client.take();
          client.transport.destroy();

          const { counters } = broker;
          expect([
            counters.sessions,
            counters.connections,
            counters.subscriptions,
            counters.queued,
            counters.queuedBytes,
          ]).toEqual([1, 1, 0, 0, 0]);
          expect([broker.waitingAcks, counters.closed.internal]).toEqual([0, 0]);
          witness.send({ type: 'pingreq' });
          expect(await witness.take()).toEqual([{ type: 'pingresp' }]);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
