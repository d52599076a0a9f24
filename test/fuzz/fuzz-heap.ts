import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { connectOf, MemoryTransport, openTestBroker, settled } from '@selsyn/platform/broker/broker.fixture.ts';
import { MemorySessionStore } from '@selsyn/platform/session-store/drivers/memory/memory-session-store.ts';
import { Random } from '../harness/random.ts';
import { Mutants } from './mutants.ts';

/*
 * The heap of a broker that is sent mutants, in this process: what no socket, cache of topics or allocator of the system blurs.
 * `node --expose-gc test/fuzz/fuzz-heap.ts SEED` prints one JSON object: packets, the heap in bytes after each part (collected, all
 * sessions over), and what the broker counts then, which must be nothing.
 */
const PARTS = 8;
const CONNECTIONS_EACH = 25_000;
const PACKETS_EACH = 14;

class SilentTransport extends MemoryTransport {
  override write(): boolean {
    return true;
  }
}

const random = new Random(Number(process.argv[2] ?? 1));
const { broker, clock } = openTestBroker({
  store: new MemorySessionStore(),
  limits: { topicCacheSize: 1_000, sessionExpiryMaxSec: 2, maxQueuedMessages: 100 },
});
await broker.restore();
const { gc } = globalThis;
if (gc === undefined) throw new Error('to be run with --expose-gc');
let packets = 0;
const heapBytes: number[] = [];
for (let part = 0; part < PARTS; part += 1) {
  const mutants = { 4: new Mutants(4, random, 20_000), 5: new Mutants(5, random, 20_000) };
  for (let n = 0; n < CONNECTIONS_EACH; n += 1) {
    const version: ProtocolVersion = n % 2 === 0 ? 4 : 5;
    await converse(n, version, mutants[version]);
    if (n % 50 > 0) continue;
    await settled();
    clock.advance(1_000);
  }
  await settled();
  clock.advance(20_000);
  await settled();
  gc();
  gc();
  heapBytes.push(process.memoryUsage().heapUsed);
}
const { sessions, offlineSessions, subscriptions, queued, queuedBytes, connections } = broker.counters;
process.stdout.write(
  `${JSON.stringify({ packets, heapBytes, left: { sessions, offlineSessions, subscriptions, queued, queuedBytes, connections } })}\n`,
);

/** One client: CONNECT, mutants that may go on, one that ends it, and its end. */
async function converse(n: number, version: ProtocolVersion, { lasting, ending }: Mutants): Promise<void> {
  const transport = new SilentTransport();
  broker.accept(transport);
  const connect = connectOf(version, {
    clientId: `fuzz-${n % 64}`,
    cleanStart: n % 3 > 0,
    properties: version === 5 ? { sessionExpirySec: 2 } : {},
  });
  transport.listener?.onData(encodePacket(connect, version));
  await settled();
  for (let k = 0; k <= PACKETS_EACH && !transport.ended; k += 1) {
    // A paused transport sends nothing.
    if (transport.paused) await settled();
    if (transport.paused) break;
    transport.listener?.onData(Buffer.from(random.pick(k < PACKETS_EACH ? lasting : ending)));
    packets += 1;
  }
  transport.listener?.onEnd();
  transport.listener?.onClose();
}
