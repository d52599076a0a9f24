import { parentPort, workerData } from 'node:worker_threads';
import { PERMISSIVE } from '../../broker/broker.fixture.ts';
import { Broker } from '../../broker/broker.ts';
import { LocalBus, type LocalBusSeat } from '../../bus/drivers/local/local-bus.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { MqttGateway } from './mqtt-gateway.ts';
import { Relay, type RelaySeat } from './relay.ts';
import { SessionRouter } from './session-router.ts';

export interface TestThreadData {
  readonly seat: LocalBusSeat;
  readonly relaySeat: RelaySeat;
  readonly port: number;
  /** Where it is false, the first thread listens for all. */
  readonly reusePort: boolean;
}

/** What it tells when it is asked. */
export interface TestThreadState {
  readonly sessions: number;
  readonly sockets: number;
  readonly relayed: number;
}

/** A gateway in a worker: says its port, then how much it has whenever it is asked; `null` closes it. */
const { seat, relaySeat, port, reusePort } = workerData as TestThreadData;
const bus = new LocalBus(seat);
const broker = new Broker({
  authorizer: PERMISSIVE,
  bus,
  clock: systemClock,
  logLines: silentLogLines,
  newClientId: () => `made-${Math.random()}`,
});
const relay = new Relay({ seat: relaySeat, clock: systemClock, broker });
const router = new SessionRouter({
  broker,
  clock: systemClock,
  others: {
    bus,
    relay,
    count: seat.ports.length + 1,
    listensAlone: !reusePort,
    maxPacketBytes: 1_048_576,
    connectDeadlineMs: 10_000,
  },
});
relay.start();
const gateway = new MqttGateway({
  accept: (transport) => router.accept(transport),
  doors: reusePort || seat.self === 0 ? { tcp: { host: '127.0.0.1', port } } : {},
  reusePort,
  maxSockets: 1_000,
  maxPacketBytes: 1_048_576,
  clock: systemClock,
  logLines: silentLogLines,
});
broker.start();
const ports = await gateway.start();
parentPort?.postMessage(ports.tcp);
parentPort?.on('message', (question: unknown) => {
  if (question !== null) {
    const state: TestThreadState = {
      sessions: broker.counters.sessions,
      sockets: gateway.counters.sockets,
      relayed: relay.size,
    };
    parentPort?.postMessage(state);
    return;
  }
  void gateway
    .close()
    .then(() => router[Symbol.dispose]())
    .then(async () => await Promise.all([broker.close(), relay.close(6_000)]))
    .then(() => process.exit());
});
