import { createServer, isIPv6 } from 'node:net';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { buildApi } from '../api/build-api.ts';
import { newLocalBus, portsOf } from '../bus/drivers/local/local-bus.ts';
import { migrate } from '../database/migrate.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { ApiKeys } from '../identity/api-keys.ts';
import { DeviceTokens } from '../identity/device-tokens.ts';
import { systemClock } from '../kernel/clock.ts';
import { SelsynError, systemCode } from '../kernel/errors.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../log/drivers/disk/shared-positions.ts';
import { DeviceStore } from '../registry/device-store.ts';
import type { HotCalls } from '../telemetry/hot-calls.ts';
import { SharedLiveFeed } from '../telemetry/query-live-feed.ts';
import { StoreQueries } from '../telemetry/query-store.ts';
import { isLoopback } from './config.ts';
import type { Config } from './config-schema.ts';
import { openDataFolder, readOrMakeAdminKey } from './data-folder.ts';
import { diskLogOptions } from './disk-log-options.ts';
import type { GatewayCalls, GatewayReady, GatewayThreadData } from './gateway-thread.ts';
import { MetricsHub } from './metrics-hub.ts';
import { OpenRegistration } from './open-registration.ts';
import type { ProcessorCalls, ProcessorThreadData } from './processor-thread.ts';
import { ReplayWatch } from './replay-watch.ts';
import { StatsSampler } from './stats-sampler.ts';
import { Thread } from './thread.ts';

/** The whole platform, running. Disposing it stops what started last first; nothing that was acknowledged is lost. */
export interface Platform extends AsyncDisposable {
  readonly httpUrl: string;
  readonly mqttUrl: string;
  readonly adminKey: string;
  /** Where the key is kept; undefined when it came from the configuration. */
  readonly adminKeyFile: string | undefined;
  readonly dataFolder: string;
  readonly version: string;
  readonly deviceCount: number;
  /** Resolves, with the reason, when a thread has ended that should not: the process cannot go on. */
  readonly failed: Promise<Error>;
}

const GATEWAY_YOUNG_GENERATION_MB = 12;
const DASHBOARD_DIR = join(import.meta.dirname, '..', '..', '..', 'dashboard', 'dist');

/**
 * Starts everything in the order in which data flows backwards: folder, registry, log, processor, gateways, API.
 * When one part cannot start, those before it are stopped again.
 *
 * @throws SelsynError `data.locked`, `data.unwritable`, `data.corrupt`, `listen.failed`, `log.failed`, `log.full`
 */
export async function startPlatform(config: Config): Promise<Platform> {
  await using starting = new AsyncDisposableStack();
  const logLines = openLogLines({ level: config.logLevel, thread: 'main' });
  const clock = systemClock;
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

  const folder = starting.use(openDataFolder(config.data));
  const { paths } = folder;
  const adminKey = config.access.adminKey ?? readOrMakeAdminKey(paths.adminKey);
  const mqttPort = await reservePort('mqtt', config.mqtt);
  await reservePort('http', config.http);

  const registry = starting.use(openSqliteDatabase(paths.registry));
  await migrate(registry.database);
  const devices = new DeviceStore({ database: registry.database, clock });
  const tokens = new DeviceTokens({ database: registry.database, clock, random: randomBytes });
  const apiKeys = new ApiKeys({ database: registry.database, clock, random: randomBytes, adminKey });

  const metrics = starting.use(new MetricsHub());
  const { threads } = config.gateway;
  const logShared = newDiskLogShared(threads);
  starting.use(await openDiskLog({ ...diskLogOptions({ config, paths, shared: logShared, logLines }), role: 'owner' }));

  const hotChannel = new MessageChannel();
  const liveChannel = new MessageChannel();
  const registration = new OpenRegistration({ devices, logLines });
  const newDevices = registration.port();
  const processor = await Thread.start<ProcessorThreadData, ProcessorCalls, null>({
    name: 'processor',
    script: new URL('./processor-thread.ts', import.meta.url),
    data: { config, paths, logShared, hot: hotChannel.port2, live: liveChannel.port2, newDevices },
    transfer: [hotChannel.port2, liveChannel.port2, newDevices],
  });
  starting.defer(async () => await processor.stop());
  metrics.add(processor);
  const hot = new ThreadCaller<HotCalls>(hotChannel.port1);
  const queries = starting.use(new StoreQueries({ telemetryDir: paths.telemetry, hot, clock }));
  const live = starting.use(new SharedLiveFeed({ hot, updates: liveChannel.port1, clock, log: logLines }));
  live.start();
  const replay = starting.use(new ReplayWatch({ processor: processor.calls, clock }));
  replay.start();

  const bus = threads > 1 ? newLocalBus(threads) : undefined;
  if (bus !== undefined) starting.use(bus.control);
  const gateways: Thread<GatewayCalls, GatewayReady>[] = [];
  starting.defer(async () => {
    await Promise.all(gateways.map(async (gateway) => await gateway.stop()));
  });
  for (let index = 0; index < threads; index += 1) {
    const seat = bus?.seats[index];
    const connected = registration.port();
    const gateway = await Thread.start<GatewayThreadData, GatewayCalls, GatewayReady>({
      name: `gateway-${index}`,
      script: new URL('./gateway-thread.ts', import.meta.url),
      data: { config, paths, index, port: mqttPort, logShared, bus: seat, newDevices: connected },
      youngGenerationMb: GATEWAY_YOUNG_GENERATION_MB,
      transfer: [connected, ...(seat === undefined ? [] : portsOf(seat))],
    });
    gateways.push(gateway);
    metrics.add(gateway);
  }

  const boundMqttPort = gateways[0]?.ready.port ?? mqttPort;
  const stats = starting.use(
    new StatsSampler({
      snapshots: async () => await metrics.snapshots(),
      countDevices: async () => await devices.count(),
      clock,
      logLines,
      version,
      mqttPort: boundMqttPort,
    }),
  );
  stats.start();
  const api = await buildApi({
    devices,
    tokens,
    apiKeys,
    telemetry: queries,
    eraser: queries,
    live,
    stats,
    metrics,
    readiness: replay,
    cutConnections: async (device) => {
      await Promise.all(gateways.map(async (gateway) => await gateway.calls.call('cut', device)));
    },
    dashboardDir: DASHBOARD_DIR,
    allowedHosts: isLoopback(config.http.host) ? config.http.allowedHosts.split(',').filter((host) => host !== '') : undefined,
    clock,
    logLines,
    version,
  });
  starting.defer(async () => await api.close());
  const httpUrl = await listen(api, config.http);
  const mqttUrl = urlOf('mqtt', config.mqtt.host, boundMqttPort);

  const runFile = join(paths.root, 'run.json');
  writeFileSync(runFile, `${JSON.stringify({ pid: process.pid, http: httpUrl, mqtt: mqttUrl })}\n`);
  starting.defer(() => rmSync(runFile, { force: true }));

  const deviceCount = await devices.count();
  const failed = Promise.race([processor.failed, ...gateways.map((gateway) => gateway.failed)]);
  const running = starting.move();
  return {
    httpUrl,
    mqttUrl,
    adminKey,
    adminKeyFile: config.access.adminKey === undefined ? paths.adminKey : undefined,
    dataFolder: paths.root,
    version,
    deviceCount,
    failed,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

/**
 * Finds a port that can be bound by this process alone, before anything starts: threads that share a port by `reusePort`
 * would also share it with another Selsyn. Port 0 becomes a free one, the same for all threads.
 */
async function reservePort(name: string, address: { readonly host: string; readonly port: number }): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(listenFailure(name, address, error)));
    probe.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port));
    });
  });
}

async function listen(
  api: Awaited<ReturnType<typeof buildApi>>,
  address: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    await api.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw listenFailure('http', address, error);
  }
  const bound = api.server.address();
  return urlOf('http', address.host, typeof bound === 'object' && bound !== null ? bound.port : address.port);
}

function listenFailure(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  cause: unknown,
): SelsynError {
  const code = systemCode(cause);
  const why =
    code === 'EADDRINUSE'
      ? `port ${port} on ${host} is in use; choose another with --set ${name}.port=N`
      : code === 'EACCES'
        ? `port ${port} on ${host} may not be opened by this user`
        : code === 'EADDRNOTAVAIL'
          ? `${host} is no address of this machine`
          : `${host}:${port} cannot be opened (${code ?? String(cause)})`;
  return new SelsynError('listen.failed', `${name}: ${why}`, { cause, details: { host, port } });
}

/** An address that a client on this machine can use: an unspecified host becomes loopback. */
function urlOf(scheme: string, host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
}
