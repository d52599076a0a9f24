import { randomBytes } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import { Broker } from '../broker/broker.ts';
import { registerBrokerMetrics } from '../broker/broker-metrics.ts';
import { LocalBus, type LocalBusSeat } from '../bus/drivers/local/local-bus.ts';
import { openSqliteReader } from '../database/drivers/sqlite/sqlite-database.ts';
import { MqttGateway } from '../gateways/mqtt/mqtt-gateway.ts';
import { TelemetryIntake } from '../gateways/mqtt/telemetry-intake.ts';
import { DeviceAuthorizer } from '../identity/device-authorizer.ts';
import { OpenAuthorizer } from '../identity/open-authorizer.ts';
import { systemClock } from '../kernel/clock.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import type { PartitionId } from '../log/log.ts';
import type { Authorizer } from '../broker/authorizer.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { diskLogOptions } from './disk-log-options.ts';
import { observeCommits } from './log-metrics.ts';
import { NewDevices } from './new-devices.ts';
import { runThread } from './thread.ts';

export interface GatewayThreadData {
  readonly config: Config;
  readonly paths: DataPaths;
  /** Also the partition of the telemetry stream that this thread writes. */
  readonly index: number;
  readonly port: number;
  readonly logShared: SharedArrayBuffer;
  /** Undefined where this is the only gateway thread. */
  readonly bus: LocalBusSeat | undefined;
  /** Takes the ids of clients that were let in, in open mode. */
  readonly newDevices: MessagePort;
}

export interface GatewayReady {
  readonly port: number;
}

/** What main may ask of a gateway thread. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type GatewayCalls = {
  metrics(argument: null): Promise<MetricsSnapshot>;
  /** Closes the connections of a device; done when all that they had sent is durable or refused. */
  cut(device: string): Promise<void>;
  stop(argument: null): Promise<void>;
};

/** Client ids that the broker makes for those who bring none begin so. */
const MADE_ID = 'auto-';

await runThread<GatewayThreadData, GatewayCalls, GatewayReady>(async (data) => {
  const { config, paths, index } = data;
  const name = `gateway-${index}`;
  const logLines = openLogLines({ level: config.logLevel, thread: name });
  const metrics = openMetrics(name);
  const loopDelay = observeEventLoopDelay(metrics);

  const log = await openDiskLog({
    ...diskLogOptions({ config, paths, shared: data.logShared, logLines }),
    role: 'writer',
    onCommit: observeCommits(metrics),
  });
  // Partitions are numbered as the gateway threads are.
  const intake = new TelemetryIntake({ log, partition: index as PartitionId });
  await intake.open();

  const registry = config.access.mode === 'open' ? undefined : openSqliteReader(paths.registry);
  const bus = data.bus === undefined ? undefined : new LocalBus(data.bus);
  const broker = new Broker({
    authorizer:
      registry === undefined
        ? registering(new NewDevices(data.newDevices))
        : new DeviceAuthorizer({ database: registry.database }),
    intake,
    bus,
    limits: { maxPacketBytes: config.mqtt.maxPacketBytes, maxConnections: config.mqtt.maxConnections },
    clock: systemClock,
    logLines,
    newClientId: () => `${MADE_ID}${randomBytes(12).toString('hex')}`,
  });
  registerBrokerMetrics(metrics, broker);
  const gateway = new MqttGateway({
    broker,
    host: config.mqtt.host,
    port: data.port,
    reusePort: data.bus !== undefined,
    maxSockets: config.mqtt.maxConnections + 500,
    logLines,
  });
  const port = await gateway.start();

  return {
    ready: { port },
    calls: {
      metrics: async () => await metrics.getMetricsAsJSON(),
      cut: async (device) => {
        broker.disconnectPrincipal(device);
        await intake.settled();
      },
      stop: async () => {
        await gateway.close();
        await intake[Symbol.asyncDispose]();
        await log[Symbol.asyncDispose]();
        await bus?.[Symbol.asyncDispose]();
        await registry?.[Symbol.asyncDispose]();
        loopDelay[Symbol.dispose]();
      },
    },
  };
});

/** Open mode: lets everyone in, and reports who has named itself, by username or else by client id. */
function registering(newDevices: NewDevices): Authorizer {
  const open = new OpenAuthorizer();
  return {
    authenticate: async (request) => {
      const id = request.username ?? request.clientId;
      if (!id.startsWith(MADE_ID)) newDevices.add(id);
      return await open.authenticate(request);
    },
  };
}
