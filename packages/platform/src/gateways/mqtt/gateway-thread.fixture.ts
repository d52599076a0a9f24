import { parentPort, workerData } from 'node:worker_threads';
import { PERMISSIVE } from '../../broker/broker.fixture.ts';
import { Broker } from '../../broker/broker.ts';
import { LocalBus, type LocalBusSeat } from '../../bus/drivers/local/local-bus.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { MqttGateway } from './mqtt-gateway.ts';

/** A gateway in a worker: says its port, then how many sessions it has whenever it is asked; `null` closes it. */
const { seat, port } = workerData as { seat: LocalBusSeat; port: number };
const bus = new LocalBus(seat);
const broker = new Broker({
  authorizer: PERMISSIVE,
  bus,
  clock: systemClock,
  logLines: silentLogLines,
  newClientId: () => `made-${Math.random()}`,
});
const gateway = new MqttGateway({
  broker,
  host: '127.0.0.1',
  port,
  reusePort: true,
  maxSockets: 1_000,
  logLines: silentLogLines,
});
parentPort?.postMessage(await gateway.start());
parentPort?.on('message', (question: unknown) => {
  if (question !== null) parentPort?.postMessage(broker.counters.sessions);
  else void gateway.close().then(() => process.exit());
});
