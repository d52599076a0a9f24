import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { AuditChecks } from '../checks/audit-checks.ts';
import { LocalSigning } from '../pki/local-signing.ts';
import { newPkiServices, type PkiServices } from '../pki/pki-services.ts';
import { Provisioning } from '../provisioning/provisioning.ts';
import { ProvisioningTokens } from '../provisioning/provisioning-tokens.ts';
import { AccessKeys } from '../people/access-keys.ts';
import { openPeople, type People } from '../people/people.ts';
import { DeviceTokens } from '../identity/device-tokens.ts';
import { AccessExplainer } from '../identity/policies/access-explanation.ts';
import { PolicyStore } from '../identity/policies/policy-store.ts';
import { ImportedTokens } from '../identity/imported-tokens.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { ConnectivityStore } from '../registry/connectivity-store.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { DeviceTypeStore } from '../registry/device-type-store.ts';
import { FleetStore, fleetsFollow } from '../registry/fleet-store.ts';
import { GroupStore } from '../registry/group-store.ts';
import { FileMasterKeys } from '../secrets/drivers/file-master-keys.ts';
import { Secrets } from '../secrets/secrets.ts';
import { exportDevices } from '../registry/export/device-export.ts';
import { DeviceImports } from '../registry/import/device-imports.ts';
import type {
  AggregateQuery,
  DeadLetter,
  LatestValue,
  LiveFeed,
  LiveUpdate,
  PointColumns,
  RangeAnswer,
  RangeQuery,
  TelemetryEraser,
  TelemetryQueries,
} from '../telemetry/telemetry-queries.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { buildApi } from './build-api.ts';
import type { ClientDetailJson, ClientDirectory, ClientJson, ClientPageJson, ClientQuery } from './client-directory.ts';
import type { ServerStats } from './server-stats.ts';
import { SearchFollowing } from '../shadows/search/search-following.ts';
import { PresenceAlertStore } from '../presence/presence-alert-store.ts';
import { openTestState, type TestState } from './state.fixture.ts';
import type { TraceBatchJson, TraceRequest, TraceSource } from './trace-source.ts';

export const ADMIN_KEY = 'admin-key-of-the-tests';

export const STATS: ServerStats = {
  atMs: 1,
  uptimeMs: 2,
  mqttPort: 1883,
  version: '0.0.0-test',
  devices: 3,
  connections: 4,
  messagesInPerSecond: { qos0: 0, qos1: 5, qos2: 0 },
  messagesOutPerSecond: { qos0: 0, qos1: 0, qos2: 0 },
  pointsPerSecond: 6,
  bytesInPerSecond: 7,
  messagesIn: 8,
  messagesOut: 9,
  points: 10,
  deadLetters: 11,
  log: { recordsPerSecond: 12, syncsPerSecond: 13, syncMs: 14, lagRecords: 15, lagMs: 16 },
  store: { points: 17, bytes: 18, bytesPerPoint: 19 },
  memoryBytes: 20,
  threads: [{ name: 'main', eventLoopDelayMs: 21 }],
};

/** Answers what the test puts in, and keeps what it was asked. */
export class FakeTelemetry implements TelemetryQueries, TelemetryEraser {
  readonly ranges: RangeQuery[] = [];
  readonly aggregates: AggregateQuery[] = [];
  readonly forgotten: DeviceId[] = [];
  series: ReadonlyMap<string, PointColumns> = new Map();
  nextCursor: string | undefined;
  latestValues: ReadonlyMap<string, readonly LatestValue[]> = new Map();
  letters: readonly DeadLetter[] = [];
  failure: unknown;

  async latest(devices: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, readonly LatestValue[]>> {
    this.#mayFail();
    return new Map(devices.map((device) => [device, this.latestValues.get(device) ?? []]));
  }

  async range(query: RangeQuery, _signal?: AbortSignal): Promise<RangeAnswer> {
    this.#mayFail();
    this.ranges.push(query);
    return this.nextCursor === undefined ? { metrics: this.series } : { metrics: this.series, cursor: this.nextCursor };
  }

  async aggregate(query: AggregateQuery): Promise<ReadonlyMap<string, PointColumns>> {
    this.#mayFail();
    this.aggregates.push(query);
    return this.series;
  }

  async deadLetters(query: { readonly limit: number }): Promise<{ readonly items: readonly DeadLetter[] }> {
    this.#mayFail();
    return { items: this.letters.slice(0, query.limit) };
  }

  async forget(device: DeviceId): Promise<void> {
    this.#mayFail();
    this.forgotten.push(device);
  }

  #mayFail(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

/** A feed whose updates the test makes. */
export class FakeLive implements LiveFeed {
  readonly watches = new Set<{
    readonly devices: ReadonlySet<DeviceId> | undefined;
    readonly onUpdate: (updates: readonly LiveUpdate[]) => void;
  }>();

  watch(devices: ReadonlySet<DeviceId> | undefined, onUpdate: (updates: readonly LiveUpdate[]) => void): () => void {
    const watch = { devices, onUpdate };
    this.watches.add(watch);
    return () => void this.watches.delete(watch);
  }

  emit(updates: readonly LiveUpdate[]): void {
    for (const { devices, onUpdate } of this.watches) {
      const seen = updates.filter((update) => devices === undefined || devices.has(update.device));
      if (seen.length > 0) onUpdate(seen);
    }
  }
}

export const CLIENT: ClientJson = {
  clientId: 'sensor1',
  principalId: 'sensor1',
  state: 'connected',
  protocol: '5.0',
  door: 'tcp',
  remoteAddress: '192.0.2.1',
  sinceMs: 1,
  persistent: true,
  subscriptions: 1,
  queuedMessages: 2,
  inFlight: 3,
};

export const CLIENT_DETAIL: ClientDetailJson = {
  ...CLIENT,
  keepAliveSec: 60,
  sessionExpirySec: 3600,
  receiveMaximum: 20,
  queuedBytes: 4,
  filters: [{ filter: 'devices/sensor1/#', qos: 1 }],
  messagesReceived: 5,
  messagesSent: 6,
  messagesDropped: 7,
  closes: [{ reason: 'keep-alive', text: 'nothing came', code: 0x8d, atMs: 1 }],
  denials: [{ action: 'publish', subject: 'a', code: 0x87, text: '0x87 not authorized', count: 2, lastAtMs: 1 }],
};

/** Knows one client, and keeps what it was asked. */
export class FakeClients implements ClientDirectory {
  readonly queries: ClientQuery[] = [];
  readonly disconnected: string[] = [];

  async list(query: ClientQuery): Promise<ClientPageJson> {
    this.queries.push(query);
    return { items: [CLIENT], totals: { connected: 1, offline: 0 } };
  }

  async find(clientId: string): Promise<readonly ClientDetailJson[]> {
    return clientId === CLIENT.clientId ? [CLIENT_DETAIL] : [];
  }

  async disconnect(clientId: string, session: 'keep' | 'discard', principals?: readonly string[]): Promise<number> {
    if (clientId !== CLIENT.clientId || principals?.includes(CLIENT.principalId) === false) return 0;
    this.disconnected.push(`${clientId} ${session}`);
    return 1;
  }
}

/** Traces whose packets the test makes. */
export class FakeTraces implements TraceSource {
  readonly running = new Set<{ readonly request: TraceRequest; readonly onBatch: (batch: TraceBatchJson) => void }>();

  open(request: TraceRequest, onBatch: (batch: TraceBatchJson) => void): () => void {
    const trace = { request, onBatch };
    this.running.add(trace);
    return () => void this.running.delete(trace);
  }

  emit(batch: TraceBatchJson): void {
    for (const { onBatch } of this.running) onBatch(batch);
  }
}

export interface TestApi extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly database: Database;
  readonly pki: PkiServices;
  readonly provisioning: Provisioning;
  readonly people: People;
  readonly audit: AuditTrail;
  readonly devices: DeviceStore;
  readonly telemetry: FakeTelemetry;
  readonly live: FakeLive;
  readonly clients: FakeClients;
  readonly traces: FakeTraces;
  readonly state: TestState;
  readonly searchFields: SearchFollowing;
  readonly clock: FakeClock;
  readonly cut: DeviceId[];
  /** What gateways were told. */
  readonly accessChanges: (readonly string[] | 'all')[];
}

/** The API over a real registry in memory; telemetry, live feed, clock and randomness are the test's. */
export async function openTestApi(
  overrides:
    | Partial<ApiDependencies>
    | ((made: Pick<TestApi, 'database' | 'clock' | 'audit' | 'pki' | 'provisioning'>) => Partial<ApiDependencies>) = {},
): Promise<TestApi> {
  const open = openSqliteDatabase(':memory:');
  const { database } = open;
  await migrate(database);
  const clock = new FakeClock();
  const telemetry = new FakeTelemetry();
  const live = new FakeLive();
  const clients = new FakeClients();
  const traces = new FakeTraces();
  const cut: DeviceId[] = [];
  const accessChanges: (readonly string[] | 'all')[] = [];
  const random = countingRandom();
  const devices = new DeviceStore({ database, clock });
  const state = await openTestState({ registry: database, clock, random });
  const searchFields = new SearchFollowing({
    state: state.api.reader,
    registry: database,
    calls: state.api.calls,
    clock,
    logLines: silentLogLines,
  });
  await searchFields.start();
  const audit = new AuditTrail({ database, clock });
  const people = await openPeople({
    database,
    clock,
    random,
    audit,
    adminKey: ADMIN_KEY,
    sessionLimits: { idleMs: 3_600_000, maxMs: 43_200_000 },
    oidc: undefined,
    logLines: silentLogLines,
    sealSecret: 'a secret of the tests',
  });
  const pkiDir = mkdtempSync(join(tmpdir(), 'selsyn-api-'));
  const pki = newPkiServices({
    database,
    clock,
    random,
    logLines: silentLogLines,
    signing: LocalSigning.open({ dir: pkiDir, clock }),
    lifetimeMs: 90 * 86_400_000,
    onAccessChanged: async (changed) => void accessChanges.push(changed),
    publish: async () => {},
    serverAuthority: 'issuing',
    hasTemplate: async () => false,
    onTrustChanged: async () => {},
  });
  await pki.authorities.recordOwn();
  const masterKeys = new FileMasterKeys({ path: join(pkiDir, 'master.key'), random });
  const secrets = await Secrets.open(
    { database, clock, random, logLines: silentLogLines },
    { current: masterKeys.make(), others: [], place: masterKeys.path },
    masterKeys,
  );
  const provisioning = new Provisioning({
    database,
    clock,
    random,
    trail: audit,
    logLines: silentLogLines,
    certificates: pki.certificates,
    onAccessChanged: async (changed) => void accessChanges.push(changed),
  });
  const app = await buildApi({
    devices,
    pki,
    provisioning,
    provisioningTokens: new ProvisioningTokens({ database, clock, random, trail: audit, templates: provisioning.templates }),
    tokens: new DeviceTokens({ database, clock, random }),
    policies: new PolicyStore({ database, clock, trail: audit, onAccessChanged: (changed) => accessChanges.push(changed) }),
    explainer: new AccessExplainer({ database, clock }),
    checks: new AuditChecks({
      database,
      clients: { credentialUses: async () => [], takenOver: async () => [] },
      rules: { expiringWithinMs: 30 * 86_400_000, maxAgeMs: 730 * 86_400_000 },
      isLogging: true,
      clock,
      logLines: silentLogLines,
    }),
    connectivity: new ConnectivityStore({ database }),
    groups: new GroupStore({ database, clock, followers: [fleetsFollow] }),
    deviceTypes: new DeviceTypeStore({ database, clock }),
    fleets: new FleetStore({ database, clock }),
    people,
    accessKeys: new AccessKeys({ database, clock, random, audit, roles: people.roles, sealer: secrets.sealer }),
    audit,
    telemetry,
    eraser: telemetry,
    presence: new PresenceAlertStore(database),
    state: state.api,
    searchFields,
    registryChanged: () => undefined,
    registryFollowed: async () => {},
    live,
    clients,
    traces,
    stats: { current: () => STATS },
    metrics: { render: async () => '# HELP up Up.\nup 1\n' },
    readiness: { reason: () => undefined },
    cutConnections: async (device) => void cut.push(device),
    endSessions: async (device) => void cut.push(device),
    secrets,
    imports: new DeviceImports({
      database,
      clock,
      random,
      tokens: new ImportedTokens({ clock }),
      onAccessChanged: (changed) => accessChanges.push(changed),
      cutConnections: async (device) => void cut.push(device),
    }),
    exportDevices: async (format, query) => await exportDevices({ database, clock }, format, query),
    accessChanged: (changed) => void accessChanges.push(changed),
    dashboardDir: undefined,
    allowedHosts: undefined,
    publicUrl: undefined,
    trustedProxies: [],
    clock,
    logLines: silentLogLines,
    version: '0.0.0-test',
    ...(typeof overrides === 'function' ? overrides({ database, clock, audit, pki, provisioning }) : overrides),
  });
  return {
    app,
    database,
    pki,
    provisioning,
    people,
    audit,
    devices,
    telemetry,
    live,
    clients,
    traces,
    state,
    searchFields,
    clock,
    cut,
    accessChanges,
    async [Symbol.asyncDispose]() {
      await app.close();
      await searchFields[Symbol.asyncDispose]();
      await state[Symbol.asyncDispose]();
      await provisioning[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      rmSync(pkiDir, { recursive: true });
    },
  };
}

export const asAdmin = { authorization: `Bearer ${ADMIN_KEY}` } as const;

/** Different bytes at each call, the same in each run. */
export function countingRandom(): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => createHash('shake256', { outputLength: count }).update(String(calls++)).digest();
}

/** Adds a device and gives its token. */
export async function addDevice(api: TestApi, id: string): Promise<string> {
  const answer = await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id } });
  return answer.json<{ token: string }>().token;
}

/** Columns from pairs, as the store gives them. */
export function columns(points: readonly (readonly [number, number])[]): PointColumns {
  return { times: Float64Array.from(points, ([time]) => time), values: Float64Array.from(points, ([, value]) => value) };
}
