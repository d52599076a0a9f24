import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { buildApi } from '../api/build-api.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import { migrate, MIGRATIONS } from '../database/migrate.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { awsRoutes } from '../gateways/http/aws/aws-routes.ts';
import { deviceFacingRoutes } from '../gateways/http/device-routes.ts';
import { AccessKeys } from '../people/access-keys.ts';
import { openPeople } from '../people/people.ts';
import { systemClock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../log/drivers/disk/shared-positions.ts';
import { awsRoutesDependencies } from './aws-doors.ts';
import { bulkServices } from './bulk-services.ts';
import { isLoopback } from './config.ts';
import type { Config } from './config-schema.ts';
import { openDataFolder, readOrMakeAdminKey } from './data-folder.ts';
import { diskLogOptions } from './disk-log-options.ts';
import { doorAddresses, type DoorUrls, doorUrls } from './doors.ts';
import { deviceRoutesDependencies } from './enrolment-doors.ts';
import { httpsAddress, HttpsListening } from './https-listening.ts';
import { openIdentityServices } from './identity-services.ts';
import { listenFailure, type ListenerAddress, reservePorts, urlOf } from './listening.ts';
import { MetricsHub } from './metrics-hub.ts';
import { startMonitoring } from './monitoring.ts';
import { OpenRegistration } from './open-registration.ts';
import { allowedHosts, listOf, oidcSettings, sessionLimits } from './people-settings.ts';
import { openPointDoors } from './point-doors.ts';
import { openPresence } from './presence-services.ts';
import { openRegistryServices } from './registry-services.ts';
import { openSecrets } from './secret-services.ts';
import { openSessionLogs } from './session-logs.ts';
import { holdLog } from './forwarding-services.ts';
import { startGateways } from './start-gateways.ts';
import { startSigner } from './start-signer.ts';
import { sparkplugDirectory, SparkplugDesk } from './sparkplug-desk.ts';
import { openState } from './open-state.ts';
import { openTelemetry, openTelemetryLife } from './telemetry-services.ts';
import { clientThreadOf, ThreadClients } from './thread-clients.ts';
import { TlsKeeper } from './tls-keeper.ts';
import { TraceControl } from './trace-control.ts';

/** The whole platform, running. Disposing it stops what started last first; nothing that was acknowledged is lost. */
export interface Platform extends AsyncDisposable {
  readonly httpUrl: string;
  readonly urls: DoorUrls & { readonly https: string | undefined };
  /** The certificate that TLS clients are to trust; undefined where the server has one of its own, or no TLS. */
  readonly caFile: string | undefined;
  readonly adminKey: string;
  /** Where the key is kept; undefined when it came from the configuration. */
  readonly adminKeyFile: string | undefined;
  readonly dataFolder: string;
  readonly version: string;
  readonly deviceCount: number;
  /** Resolves, with the reason, when a thread has ended that should not: the process cannot go on. */
  readonly failed: Promise<Error>;
  /** Reads certificates and keys again; who is connected stays. */
  reloadTls(): Promise<void>;
}

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
  const httpAddress = { host: config.http.host, port: config.http.port, portKey: 'http.port' };
  const {
    http: httpPort,
    https: httpsPort,
    ...ports
  } = await reservePorts({ http: httpAddress, ...httpsAddress(config), ...doorAddresses(config) });
  const https = new HttpsListening(config, httpsPort);
  const metrics = starting.use(new MetricsHub());
  const signer = await startSigner({ config, paths, metrics });
  starting.defer(async () => await signer.thread.stop());
  const registry = starting.use(openSqliteDatabase(paths.registry));
  await migrate(registry.database, MIGRATIONS, paths.registry);
  const secrets = starting.use(
    await openSecrets({
      settings: config.secrets,
      root: paths.root,
      database: registry.database,
      clock,
      random: randomBytes,
      logLines,
    }),
  );
  const registryServices = await openRegistryServices({ database: registry.database, clock, logLines });
  const presence = starting.use(
    openPresence({
      config,
      database: registry.database,
      publish: async (messages) => {
        await publish(messages);
      },
      clock,
      logLines,
    }),
  );
  const identity = openIdentityServices({
    database: registry.database,
    clock,
    random: randomBytes,
    onPresence: async (changes) => {
      await registryServices.connectivity.record(changes);
      presence.heard(changes);
    },
    onSparkplugWanted: async () => await sparkplug.wanted(),
    logLines,
    signing: signer.signing,
    certificateDays: config.pki.certificateDays,
    serverAuthority: config.pki.serverAuthority,
    ending: starting,
  });
  const { devices, tokens, pki } = identity;
  const tls = config.tls.enabled
    ? starting.use(
        await TlsKeeper.open({
          settings: config.tls,
          pkiDir: paths.pki,
          signing: signer.signing,
          serverAuthority: config.pki.serverAuthority,
          trustedAuthorities: async () => await pki.trustedAuthorities(),
          machine: { hostname: hostname(), interfaces: networkInterfaces() },
          clock,
          random: randomBytes,
          logLines,
        }),
      )
    : undefined;

  if (tls === undefined) await pki.authorities.recordOwn();
  const people = await openPeople({
    database: registry.database,
    clock,
    random: randomBytes,
    audit: identity.trail,
    adminKey,
    sessionLimits: sessionLimits(config),
    oidc: oidcSettings(config),
    logLines,
    sealSecret: await secrets.server.read('api-seal'),
  });

  const { threads } = config.gateway;
  const logShared = newDiskLogShared(threads);
  holdLog(starting.use(await openDiskLog({ ...diskLogOptions({ config, paths, shared: logShared, logLines }), role: 'owner' })));
  const sessions = await openSessionLogs({ config, paths, logLines });
  starting.use(sessions.log);

  const registration = new OpenRegistration({ devices, logLines });
  const sparkplug: SparkplugDesk = new SparkplugDesk({
    ...config.sparkplug,
    devices,
    connected: identity.connected,
    publish: async (messages) => await publish(messages),
    clock,
    logLines,
  });
  const { database } = registry;
  const telemetry = await openTelemetry({
    config,
    paths,
    logShared,
    newDevices: registration.port(),
    sparkplug: sparkplug.port(),
    database,
    deviceTypes: registryServices.deviceTypes,
    metrics,
    clock,
    logLines,
    ending: starting,
  });
  const { processor } = telemetry;
  const state = await openState({ config, paths, metrics, database, trail: identity.trail, clock, logLines, ending: starting });
  const traces = starting.use(new TraceControl());
  const gateways = await startGateways({
    config,
    paths,
    ports,
    logShared,
    sessions: sessions.place,
    tlsMaterial: tls?.material,
    scramKey: Buffer.from(await secrets.server.read('scram-challenge'), 'base64url'),
    newDevices: () => registration.port(),
    traces: () => traces.port(),
    control: () => identity.desk.port(),
    state: state.gatewayPorts,
    metrics,
    ending: starting,
  });

  identity.access.attach(gateways.map(({ calls }) => ({ accessChanged: async (ids) => await calls.call('accessChanged', ids) })));
  // From any one thread a message reaches the subscribers of all.
  const publish = async (messages: readonly OwnMessage[]) => await gateways[0]?.calls.call('publish', messages);
  const life = await openTelemetryLife({
    config,
    paths,
    logShared,
    telemetry,
    database,
    devices,
    sealer: secrets.sealer,
    publish,
    metrics,
    clock,
    logLines,
    ending: starting,
  });
  await presence.start();
  starting.use(sparkplug);
  await sparkplug.start(async (topic) => (await gateways[0]?.calls.call('findRetained', topic)) !== undefined);
  // Only when all are there: a connection may have to be served by any of them.
  for (const gateway of gateways) await gateway.calls.call('open', null);
  tls?.start(async (material) => {
    https.renew(material);
    await Promise.all(gateways.map(async (gateway) => await gateway.calls.call('renewTls', material)));
  });
  pki.begin({ publish, reloadTls: async () => await tls?.reload() });
  const { stats, checks } = await startMonitoring({
    config,
    database,
    devices,
    gateways,
    mqttPort: ports.tcp ?? 0,
    metrics,
    publish,
    version,
    clock,
    logLines,
    ending: starting,
  });
  const cutConnections = async (device: DeviceId): Promise<void> => {
    await Promise.all(gateways.map(async (gateway) => await gateway.calls.call('cut', device)));
  };
  const endSessions = async (device: DeviceId): Promise<void> => {
    await Promise.all(gateways.map(async (gateway) => await gateway.calls.call('endSessionsOf', device)));
  };
  const onAccessChanged = identity.access.changed;
  const deviceRoutes = deviceRoutesDependencies({
    config,
    identity,
    ports: { ...ports, https: httpsPort },
    caFile: () => tls?.caFile,
    clock,
    logLines,
  });
  const clients = new ThreadClients(gateways.map(clientThreadOf));
  const aws = awsRoutesDependencies({
    database,
    state: state.api,
    sealer: secrets.sealer,
    devices,
    identity,
    audit: identity.trail,
    clients,
    threads: gateways,
    maxPayloadBytes: config.mqtt.maxPacketBytes,
    clock,
    people,
    logLines,
  });
  const points = openPointDoors({
    config,
    threads: gateways,
    devices,
    identities: people.identities,
    onDevicesMade: (ids) => {
      onAccessChanged(ids);
      state.followed.poke();
    },
    metrics: metrics.registry,
    clock,
    logLines,
    version,
  });
  const api = await buildApi({
    secrets,
    points: points.door,
    ...bulkServices({ database, clock, random: randomBytes, onAccessChanged, cutConnections }),
    devices,
    tokens,
    pki,
    provisioning: identity.provisioning,
    provisioningTokens: identity.enrolment.tokens,
    deviceRoutes: (problems) => async (scope) => {
      await scope.register(deviceFacingRoutes(deviceRoutes, problems));
      await scope.register(awsRoutes(aws));
      await scope.register(points.routes);
    },
    ...registryServices,
    ...telemetry.payloads,
    ...life.api,
    accessChanged: identity.access.changed,
    policies: identity.policies,
    explainer: identity.explainer,
    checks,
    people,
    accessKeys: new AccessKeys({
      database,
      clock,
      random: randomBytes,
      audit: identity.trail,
      roles: people.roles,
      sealer: secrets.sealer,
    }),
    audit: identity.trail,
    telemetry: telemetry.queries,
    sparkplug: sparkplugDirectory(processor.thread.calls, sparkplug),
    presence: presence.store,
    state: state.api,
    searchFields: state.searchFields,
    registryFollowed: async () => await state.followed.followed(),
    registryChanged: () => state.followed.poke(),
    live: telemetry.live,
    clients,
    traces,
    stats,
    metrics,
    readiness: telemetry.replay,
    cutConnections,
    endSessions,
    dashboardDir: DASHBOARD_DIR,
    allowedHosts: isLoopback(config.http.host) ? allowedHosts(config) : undefined,
    publicUrl: config.http.publicUrl === '' ? undefined : config.http.publicUrl,
    trustedProxies: listOf(config.http.trustedProxies),
    clock,
    logLines,
    version,
  });
  // The API is closed first: streams are told of it by whichever door they came.
  starting.use(https);
  starting.defer(async () => await api.close());
  const httpUrl = await listen(api, { ...httpAddress, port: httpPort });
  const httpsUrl = await https.open({ api, material: tls?.material, clock, registry: metrics.registry });
  const urls = { ...doorUrls(config, ports), https: httpsUrl };

  const runFile = join(paths.root, 'run.json');
  writeFileSync(runFile, `${JSON.stringify({ pid: process.pid, http: httpUrl, ...urls, caFile: tls?.caFile })}\n`);
  starting.defer(() => rmSync(runFile, { force: true }));

  const deviceCount = await devices.count();
  const failed = Promise.race([
    signer.thread.failed,
    processor.thread.failed,
    life.failed,
    state.failed,
    ...gateways.map((gateway) => gateway.failed),
  ]);
  const running = starting.move();
  return {
    httpUrl,
    urls,
    caFile: tls?.caFile,
    adminKey,
    adminKeyFile: config.access.adminKey === undefined ? paths.adminKey : undefined,
    dataFolder: paths.root,
    version,
    deviceCount,
    failed,
    reloadTls: async () => await tls?.reload(),
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

async function listen(api: Awaited<ReturnType<typeof buildApi>>, address: ListenerAddress): Promise<string> {
  try {
    await api.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw listenFailure(address, error);
  }
  const bound = api.server.address();
  return urlOf('http', address.host, typeof bound === 'object' && bound !== null ? bound.port : address.port);
}
